"""What pool.yaml says of notices, and where the mail server's password comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from labpool.settings import InvalidPoolFile, MailServer, NoticeSettings, Place, UnusablePlace, mail_password

from tests.settings.conftest import SMALL, Load

MAIL = "email: {host: mail.example.org, sender: gpu-pool@example.org, user: gpu-pool}"


def test_without_the_section_nothing_goes_out(load: Load):
    assert load(SMALL).notices == NoticeSettings()


def test_what_the_section_says(load: Load):
    text = f'notices: {{public_url: "https://hub.example.org/", {MAIL}, webhook_hosts: ["CI.internal:8080"]}}\n'
    server = MailServer("mail.example.org", 587, "starttls", "gpu-pool@example.org", "gpu-pool")
    assert load(SMALL + text).notices == NoticeSettings(
        "https://hub.example.org", server, frozenset({"ci.internal:8080"})
    )


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("public_url: hub.example.org", "expected an address that begins with https:// or http://"),
        ("webhook_hosts: [ci.internal]", "expected a host name and a port, such as ci.lab.internal:8080"),
        ("email: {host: mail, sender: nobody}", "expected an e-mail address"),
    ],
)
def test_mistakes_are_told_with_what_is_expected(load: Load, wrong: str, expected: str):
    with pytest.raises(InvalidPoolFile, match=expected):
        load(f"{SMALL}notices: {{{wrong}}}\n")


def test_password_that_would_travel_in_the_clear_is_warned_of(load: Load):
    (warning,) = load(f"{SMALL}notices: {{{MAIL.replace('user', 'tls: none, user')}}}\n").warnings
    assert "notices.email.tls: the password would travel unencrypted" in str(warning)


def test_password_comes_from_the_environment_else_from_its_file(tmp_path: Path):
    place = Place.open({"LABPOOL_DATA": str(tmp_path)})
    assert mail_password({}, place) == ""
    (place.secrets / "smtp_password").write_text("from-the-file\n")
    assert mail_password({}, place) == "from-the-file"
    assert mail_password({"LABPOOL_SMTP_PASSWORD": "from-outside"}, place) == "from-outside"
    (place.secrets / "smtp_password").write_bytes(b"\xff")
    with pytest.raises(UnusablePlace, match="mail server's password"):
        mail_password({}, place)
