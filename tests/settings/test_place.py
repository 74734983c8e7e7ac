from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from labpool.settings import Place, UnusablePlace
from labpool.settings.file_systems import network_file_system
from labpool.settings.secret_files import SECRETS


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_opening_makes_folders_and_secrets_for_their_owner_only(tmp_path: Path):
    place = Place.open({"LABPOOL_DATA": str(tmp_path / "a" / "data")})
    assert place.root == tmp_path / "a" / "data"
    for folder in (place.secrets, place.homes, place.logs, place.runtime, place.log):
        assert folder.is_dir()
    assert mode(place.root) == mode(place.secrets) == 0o700
    assert {path.name for path in place.secrets.iterdir()} == set(SECRETS)
    assert {mode(path) for path in place.secrets.iterdir()} == {0o600}


def test_secrets_differ_and_stay_the_same_over_restarts(tmp_path: Path):
    environ = {"LABPOOL_DATA": str(tmp_path)}
    first = {name: Place.open(environ).secret(name) for name in SECRETS}
    assert first == {name: Place.open(environ).secret(name) for name in SECRETS}
    assert len(set(first.values())) == len(SECRETS)
    assert all(len(bytes.fromhex(value)) == 32 for name, value in first.items() if name != "demo_password")
    assert len(first["demo_password"].split("-")) == 4


def test_processes_that_open_the_folder_together_read_the_same_secrets(tmp_path: Path):
    code = "import os; from labpool.settings import Place; print(Place.open(os.environ).secret('pool_token'))"
    environ = {**os.environ, "LABPOOL_DATA": str(tmp_path / "data")}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    assert not list((tmp_path / "data" / "secrets").glob(".*"))


def test_readable_secret_is_made_private_again(tmp_path: Path):
    place = Place.open({"LABPOOL_DATA": str(tmp_path)})
    (place.secrets / "pool_token").chmod(0o644)
    place.secret("pool_token")
    assert mode(place.secrets / "pool_token") == 0o600


def test_emptied_secret_is_refused_with_the_remedy(tmp_path: Path):
    environ = {"LABPOOL_DATA": str(tmp_path)}
    (Place.open(environ).secrets / "hub_cookie").write_text("\n")
    with pytest.raises(UnusablePlace, match=r"hub_cookie holds 0 characters; expected 12 or more\. Delete the file"):
        Place.open(environ)


def test_unknown_secret_is_the_callers_mistake(tmp_path: Path):
    with pytest.raises(ValueError, match="no secret is named 'nothing'; expected one of hub_cookie"):
        Place.open({"LABPOOL_DATA": str(tmp_path)}).secret("nothing")


def test_two_data_folders_are_two_pools(tmp_path: Path):
    one, other = (Place.open({"LABPOOL_DATA": str(tmp_path / name)}).pool_id for name in ("one", "other"))
    assert one != other
    assert len(one) == 16


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({"LABPOOL_DATA": "{tmp}/x", "XDG_DATA_HOME": "{tmp}/xdg"}, "x"),
        ({"XDG_DATA_HOME": "{tmp}/xdg", "HOME": "{tmp}/home"}, "xdg/labpool"),
        ({"XDG_DATA_HOME": "relative", "HOME": "{tmp}/home"}, "home/.local/share/labpool"),
        ({"LABPOOL_DATA": "", "HOME": "{tmp}/home"}, "home/.local/share/labpool"),
    ],
)
def test_folder_is_the_named_one_else_the_xdg_one(tmp_path: Path, environ: dict[str, str], root: str):
    assert Place.open({k: v.format(tmp=tmp_path) for k, v in environ.items()}).root == tmp_path / root


def test_file_in_the_way_is_told_with_the_remedy(tmp_path: Path):
    (tmp_path / "data").write_text("")
    with pytest.raises(UnusablePlace, match=r"Can't use the data folder .*/data: .* Set LABPOOL_DATA"):
        Place.open({"LABPOOL_DATA": str(tmp_path / "data")})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 256])
def test_user_whose_name_is_no_folders_gets_none(tmp_path: Path, name: str):
    place = Place(tmp_path)
    for folder in (place.home_of, place.logs_of, lambda user: place.runtime_of(user, "")):
        with pytest.raises(ValueError, match="can't be a folder's name"):
            folder(name)


def test_each_server_has_its_own_runtime_folder(tmp_path: Path):
    place = Place(tmp_path)
    assert place.runtime_of("ada", "") == tmp_path / "runtime" / "ada" / "_"
    assert place.runtime_of("ada", "train") == tmp_path / "runtime" / "ada" / "train"
    assert place.home_of("ada") == tmp_path / "homes" / "ada"


MOUNTS = r"""
22 27 0:21 / / rw,relatime - ext4 /dev/sda rw
23 22 0:22 / /srv rw - nfs4 server:/srv rw,vers=4.2
24 23 0:23 / /srv/local rw shared:7 - xfs /dev/sdb rw
25 22 0:24 / /mnt/my\040share rw - cifs //host/share rw
26 22 0:25 / /over rw - nfs host:/old rw
27 22 0:26 / /over rw - tmpfs tmpfs rw
28 22 0:27 / /people/x rw - fuse.sshfs x@y: rw
broken line
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/labpool", None),
        ("/srv", "nfs4"),
        ("/srv/data/labpool", "nfs4"),
        ("/srv/local/labpool", None),
        ("/srvother/labpool", None),
        ("/mnt/my share/labpool", "cifs"),
        ("/over/labpool", None),
        ("/people/x/.local/share/labpool", "fuse.sshfs"),
    ],
)
def test_file_system_is_the_one_of_the_deepest_mount(tmp_path: Path, folder: str, kind: str | None):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert network_file_system(Path(folder), mounts) == kind


def test_link_to_a_network_folder_is_followed(tmp_path: Path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path}/nfs rw - nfs4 x rw\n")
    (tmp_path / "nfs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nfs")
    assert network_file_system(tmp_path / "link" / "data", mounts) == "nfs4"


def test_network_folder_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labpool.settings.place.network_file_system", lambda folder: "nfs4")
    with pytest.raises(UnusablePlace) as caught:
        Place.open({"LABPOOL_DATA": str(tmp_path / "data")})
    assert str(caught.value) == (
        f"The data folder {tmp_path}/data lies on a network file system (nfs4), where SQLite can lose data. "
        "Expected a local disk. Set LABPOOL_DATA to a folder on one, for example /var/lib/labpool."
    )
    assert not (tmp_path / "data").exists()
