from pathlib import Path

import pytest
from tfpresets import SettingError, run_dir, tensorboard_path


@pytest.fixture(autouse=True)
def outside_labpool(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LABPOOL_LOGS", "LABPOOL_PROJECT", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def on_labpool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LABPOOL_LOGS", str(tmp_path / "logs" / "ada"))
    monkeypatch.setenv("LABPOOL_PROJECT", "vision")
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    return tmp_path / "logs" / "ada"


def test_a_run_gets_a_folder_in_its_project(on_labpool: Path):
    folder = run_dir("cnn-wide")
    assert folder.is_dir()
    assert folder.parent == on_labpool / "vision"
    assert folder.name.startswith("cnn-wide-")


def test_runs_started_in_the_same_second_do_not_share_a_folder(on_labpool: Path):
    assert len({run_dir("cnn") for _ in range(5)}) == 5


@pytest.mark.parametrize("name", ["", "..", "../speech", "a/b", "ein Lauf"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str, on_labpool: Path):
    with pytest.raises(SettingError, match="the run name"):
        run_dir(name)


def test_outside_labpool_runs_lie_in_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    assert run_dir().parent == Path("logs")
    assert [folder.parent.name for folder in tmp_path.glob("*/*")] == ["logs"]


def test_the_link_leads_to_the_users_own_project(on_labpool: Path):
    assert tensorboard_path() == "/logs/ada/vision/"


def test_a_user_name_with_special_characters_is_escaped(on_labpool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "ada/l@uni")
    assert tensorboard_path() == "/logs/ada%2Fl%40uni/vision/"


def test_outside_labpool_there_is_no_link():
    assert tensorboard_path() is None
