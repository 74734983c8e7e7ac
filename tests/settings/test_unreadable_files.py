"""What is no pool.yaml at all is answered with its line too, whatever the bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from labpool.settings import InvalidPoolFile, load_pool_file

from tests.settings.conftest import DEMO, Load, Refused

UNREADABLE = {
    "empty file": ("", 1, "got no mapping"),
    "a list": ("- a\n- b\n", 1, "got no mapping"),
    "one word": ("pool\n", 1, "got no mapping"),
    "only a comment": ("# nothing\n", 1, "got no mapping"),
    "tab": ("profiles:\n\tcpu: {}\n", 2, "a tab where YAML allows spaces only. Indent with spaces."),
    "bracket left open": ("profiles: {cpu: 1\n", 2, "not YAML: "),
    "wrong indentation": ("profiles:\n    a: 1\n  b: 2\n", 3, "not YAML: "),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "not YAML: expected a single document"),
    "Latin-1": (
        "# ok\ntitle: Universität\n".encode("latin-1"),
        2,
        "expected UTF-8 text, got byte 0xe4. Save the file as",
    ),
    "control character": ("# ok\ntitle: \x07\n", 2, "expected printable text, got a control character."),
    "null byte": (b"a: 1\n\0", 2, "expected printable text"),
    "anchor": ("a: &a 1\n", 1, "expected plain values, got an anchor or alias."),
    "alias": ("a: *a\n", 1, "expected plain values, got an anchor or alias."),
    "merge of an alias": ("a: {<<: *b}\n", 1, "expected plain values, got an anchor or alias."),
    "tag": ("a: 1\nb: !!python/object/apply:os.system [echo]\n", 2, "expected plain values, got a tag."),
    "deep nesting": ("a: " + "[" * 5000, 1, "nested deeper than 20 levels."),
    "too large": ("#" * 300_000, 1, "larger than 256 KiB."),
}


@pytest.mark.parametrize(("text", "line", "part"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_no_pool_file_is_told_with_its_line(refused: Refused, text: str | bytes, line: int, part: str):
    (message,) = refused(text)
    assert message.startswith(f"pool.yaml:{line}: ")
    assert part in message
    assert message.endswith(".")


def test_nested_aliases_are_refused_before_they_grow(refused: Refused):
    bomb = "a: &a [x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True))
    assert len(refused(bomb)) == 1


def test_missing_file_is_told_with_its_path(tmp_path: Path):
    with pytest.raises(InvalidPoolFile) as caught:
        load_pool_file(tmp_path / "pool.yaml")
    assert str(caught.value) == (
        f"pool.yaml:1: can't read {tmp_path}/pool.yaml: No such file or directory. "
        "Create it, or name another with LABPOOL_POOL_FILE."
    )


def test_folder_in_place_of_the_file_is_told(tmp_path: Path):
    with pytest.raises(InvalidPoolFile, match="Is a directory"):
        load_pool_file(tmp_path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@example(b"\xef\xbb\xbf")
@example(b"? [")
@example(b"%YAML 9.9\n---\na")
@example(b"a: 1e999999999")
@example(b"a: " + b"9" * 5000)
def test_any_bytes_are_read_or_refused_and_nothing_else(load: Load, raw: bytes):
    with pytest.raises(InvalidPoolFile):
        load(raw)


_LINES = DEMO.read_text().splitlines()
_WORDS = st.sampled_from(
    [
        "",
        "null",
        "-1",
        "0",
        "1e9",
        "x",
        "[]",
        "{}",
        "[[]]",
        "{a: {b: 1}}",
        "true",
        '""',
        ".nan",
        "2020-01-01",
        "é",
        "[1, a]",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.integers(0, len(_LINES) - 1), cut=st.integers(0, 60), word=_WORDS, keep=st.booleans())
def test_any_edit_of_the_demo_file_is_read_or_refused_with_a_line(
    load: Load, line: int, cut: int, word: str, keep: bool
):
    edited = _LINES[line][:cut] + word + (_LINES[line][cut:] if keep else "")
    try:
        load("\n".join([*_LINES[:line], edited, *_LINES[line + 1 :]]))
    except InvalidPoolFile as error:
        for finding in error.findings:
            assert 1 <= finding.line <= len(_LINES) + 2
            assert finding.problem and finding.remedy
