"""Handing a mail to a mail server that asks for a password, and to one that is not there."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from labpool.service.sending.attempts import NeverSent, NotSent
from labpool.service.sending.mailing import send_mail
from labpool.settings import MailServer

from tests.ports import free_ports
from tests.service.receivers import mail_server


def letter() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "gpu-pool@example.org", "ada@example.org", "Hello"
    mail.set_content("Hello")
    return mail


def server(port: int, tls: str = "none") -> MailServer:
    return MailServer("127.0.0.1", port, tls, "gpu-pool@example.org", "gpu-pool")


async def test_the_right_password_opens_the_mail_server_and_a_wrong_one_may_be_set_right_later():
    (port,) = free_ports(1)
    with mail_server(port, "secret-of-the-pool") as box:
        await send_mail(letter(), server(port), "secret-of-the-pool")
        assert box.recipients == ["ada@example.org"]
        with pytest.raises(NotSent) as refused:
            await send_mail(letter(), server(port), "another")
    assert not isinstance(refused.value, NeverSent)


@pytest.mark.parametrize(("answer", "kind"), [("550 <ada@example.org> is unknown", NeverSent), ("451 wait", NotSent)])
async def test_why_a_mail_was_refused_is_told_without_its_address(answer: str, kind: type[NotSent]):
    (port,) = free_ports(1)
    with mail_server(port) as box:
        box.answers.append(answer)
        with pytest.raises(NotSent, match=f"refused it with {answer[:3]}") as refused:
            await send_mail(letter(), server(port), "")
    assert type(refused.value) is kind
    assert "ada" not in str(refused.value)


async def test_a_mail_server_that_is_not_there_or_can_not_encrypt_is_tried_again():
    (port,) = free_ports(1)
    with pytest.raises(NotSent, match=f"127.0.0.1:{port}"):
        await send_mail(letter(), server(port), "")
    with mail_server(port) as box, pytest.raises(NotSent):
        await send_mail(letter(), server(port, "starttls"), "")
    assert box.tried == []
