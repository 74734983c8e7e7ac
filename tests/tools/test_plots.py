"""The pictures of the documentation are what the planner makes of its stories today."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from plots import DOCS, quick_pictures, replayed_pictures

pytestmark = pytest.mark.once

IMAGES = DOCS / "images"
PAGE = DOCS / "how-the-pool-decides.md"
SHOWN = dict(re.findall(r"!\[(.*?)\]\(images/(.*?)\)", PAGE.read_text(encoding="utf-8")))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("name", "content"), quick_pictures().items(), ids=quick_pictures().keys())
def test_picture_is_current(name: str, content: str):
    assert (IMAGES / name).read_text(encoding="utf-8") == content, "run: make plots"


@pytest.mark.soak
def test_pictures_of_replays_are_current():
    for name, content in replayed_pictures().items():
        assert (IMAGES / name).read_text(encoding="utf-8") == content, "run: make plots"


@pytest.mark.parametrize(("alternative", "name"), SHOWN.items(), ids=SHOWN.values())
def test_picture_on_the_page_is_told_in_words(alternative: str, name: str):
    assert len(alternative) > 40
    picture = ElementTree.parse(IMAGES / name).getroot()
    title, told = picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")
    assert title is not None
    assert told is not None
    assert len(told.text or "") > 40


def test_every_picture_that_is_drawn_is_shown():
    assert quick_pictures().keys() <= set(SHOWN.values())
