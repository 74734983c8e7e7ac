"""What is made from the models and committed is current, and says what labpool does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml
from labpool.settings.findings import KeyPath
from labpool.settings.reference import BEGIN, END, NoReferenceHere, reference_text, with_reference
from labpool.settings.schema import schema_text
from labpool.settings.shapes import Shape, pool_yaml_shape
from tfpresets.environment import PRECISIONS, PRESETS, XLA_SETTINGS

from tests.settings.conftest import DEMO

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"


def leaves(path: KeyPath, shape: Shape) -> Iterator[tuple[KeyPath, Shape]]:
    for key, child in shape.keys.items():
        yield from leaves((*path, key), child)
    if shape.each:
        yield from leaves((*path, "name"), shape.each)
    if path and not shape.keys:
        yield path, shape


def test_committed_schema_is_current():
    committed = (ROOT / "hub_config" / "pool.schema.json").read_text()
    assert committed == schema_text(), "run: labpool schema > hub_config/pool.schema.json"


def test_editors_accept_the_demo_file_and_refuse_a_wrong_name():
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    content = yaml.safe_load(DEMO.read_text())
    assert list(validator.iter_errors(content)) == []
    content["flavours"]["Not_A_Name"] = {"title": "x"}
    assert len(list(validator.iter_errors(content))) == 1


def test_choices_are_those_that_the_notebooks_package_knows():
    profile = json.loads(schema_text())["$defs"]["ProfileSection"]["properties"]
    assert set(profile["preset"]["anyOf"][0]["enum"]) == set(PRESETS)
    assert set(profile["precision"]["enum"]) == set(PRECISIONS)
    assert set(profile["xla"]["enum"]) == set(XLA_SETTINGS)


def test_reference_in_the_docs_is_current():
    assert PAGE.read_text() == with_reference(PAGE), "run: labpool reference docs/configuration.md"


def test_page_without_a_place_for_the_reference_is_told(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n")
    with pytest.raises(NoReferenceHere, match="has no place for the reference"):
        with_reference(page)
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert with_reference(page).startswith(f"before\n{BEGIN}\n\n### The whole file")
    assert with_reference(page).endswith(f"{END}\nafter\n")


def test_every_key_of_the_reference_has_a_meaning():
    rows = [line for line in reference_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if not row.rpartition(" | ")[2].removesuffix("|").strip()] == []


def test_every_example_in_a_message_is_one_that_is_accepted():
    schema = json.loads(schema_text())
    checked = 0
    for path, shape in leaves((), pool_yaml_shape()):
        if shape.example is not None and "a mapping" not in shape.expected:
            assert _fits(yaml.safe_load(shape.example), shape.expected), (path, shape)
            checked += 1
    assert checked > 30
    assert schema["additionalProperties"] is False


def _fits(value: object, expected: str) -> bool:
    for words, kinds in {
        "a whole number": int,
        "a number": (int, float),
        "true or false": bool,
        "a list": list,
        "a day": date,
        "text": str,
        "a name": str,
        "an image": str,
        "a host name": str,
        "an e-mail address": str,
        "an address": str,
    }.items():
        if expected.startswith(words):
            return isinstance(value, kinds)
    return str(value) in expected
