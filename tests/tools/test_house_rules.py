"""What `make lint` finds by itself, and that the lock files hold hashes and no address."""

import json
import re
from pathlib import Path

import house_rules
import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = "files." + "pythonhosted" + ".org"


def size_faults(source: str) -> list[str]:
    return list(house_rules.size_faults(Path("module.py"), source))


def test_function_of_41_lines_is_too_long():
    assert not size_faults("def f():\n" + "    a = 1\n" * 39)
    assert "f has 41 lines" in size_faults("def f():\n" + "    a = 1\n" * 40)[0]


def test_module_of_301_lines_is_too_long():
    assert not size_faults("a = 1\n" * 300)
    assert "301 lines" in size_faults("a = 1\n" * 301)[0]


def test_fourth_block_inside_another_is_too_deep():
    three = "def f():\n for a in b:\n  if a:\n   with a:\n    "
    assert not size_faults(three + "pass\n")
    assert "nests 4 blocks" in size_faults(three + "if a:\n     pass\n")[0]


def test_elif_is_no_deeper_than_its_if():
    branches = "".join(f" elif a == {number}:\n  pass\n" for number in range(9))
    assert not size_faults("def f(a):\n if a:\n  pass\n" + branches)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("requirements/cpu.txt", "--index-url https://mirror.example/pypi"),
        ("requirements/cpu.txt", "numpy @ https://mirror.example/numpy.whl"),
        ("package-lock.json", '"resolved": "https://mirror.example/winston.tgz"'),
        ("docs/setup.md", f"wget https://{HOST}/numpy.whl"),
    ],
)
def test_download_address_is_found(name: str, line: str):
    assert list(house_rules.address_faults(Path(name), line))


def test_ordinary_link_is_no_fault():
    assert not list(house_rules.address_faults(Path("docs/setup.md"), "See https://jupyterhub.readthedocs.io/."))


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda lock: lock.name)
def test_every_locked_python_package_has_hashes(lock: Path):
    requirements = re.split(r"\n(?=[a-z0-9])", lock.read_text())
    pinned = [requirement for requirement in requirements if "==" in requirement]
    assert all("--hash=sha256:" in requirement for requirement in pinned)


def test_every_locked_npm_package_has_a_hash():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package for path, package in packages.items() if path)
