from pathlib import Path

import pytest
from gpuspawner.folders import UserFolders


@pytest.fixture
def folders(tmp_path: Path) -> UserFolders:
    return UserFolders(tmp_path / "homes/ada", tmp_path / "logs/ada", tmp_path / "runtime/ada/_")


@pytest.fixture
def first_files(tmp_path: Path) -> Path:
    source = tmp_path / "welcome"
    (source / "data").mkdir(parents=True)
    (source / "quickstart.ipynb").write_text("new")
    (source / "data/digits.csv").write_text("1,2")
    return source


def test_first_start_gives_the_home_its_first_files_and_the_way_to_the_logs(folders: UserFolders, first_files: Path):
    folders.prepare(first_files)
    assert (folders.home / "quickstart.ipynb").read_text() == "new"
    assert (folders.home / "data/digits.csv").read_text() == "1,2"
    assert (folders.home / "logs").resolve() == folders.logs.resolve()
    assert folders.runtime.is_dir()


def test_file_that_was_changed_or_deleted_stays_so(folders: UserFolders, first_files: Path):
    folders.prepare(first_files)
    (folders.home / "quickstart.ipynb").write_text("mine")
    (folders.home / "data/digits.csv").unlink()
    folders.prepare(first_files)
    assert (folders.home / "quickstart.ipynb").read_text() == "mine"
    assert not (folders.home / "data/digits.csv").exists()


def test_file_that_was_there_before_is_not_overwritten(folders: UserFolders, first_files: Path):
    folders.home.mkdir(parents=True)
    (folders.home / "quickstart.ipynb").write_text("mine")
    folders.prepare(first_files)
    assert (folders.home / "quickstart.ipynb").read_text() == "mine"


def test_own_folder_named_logs_is_left_alone(folders: UserFolders):
    (folders.home / "logs").mkdir(parents=True)
    folders.prepare(None)
    assert not (folders.home / "logs").is_symlink()


def test_link_to_a_data_folder_that_moved_leads_to_the_new_one(folders: UserFolders):
    folders.home.mkdir(parents=True)
    (folders.home / "logs").symlink_to("/nowhere/at/all")
    folders.prepare(None)
    assert (folders.home / "logs").resolve() == folders.logs.resolve()


def test_homes_are_for_their_owner_only(folders: UserFolders):
    folders.prepare(None)
    assert folders.home.stat().st_mode & 0o077 == 0
