"""What the documentation tells is what happens."""

import re
from pathlib import Path

import pytest
from labpool.domain.plans import BreakCause
from labpool.domain.reasons import ExtensionReason, WaitReason

from tests.domain.stories import play, stories_in

PAGE = Path(__file__).parents[2] / "docs" / "how-the-pool-decides.md"


@pytest.mark.parametrize("story", stories_in(PAGE), ids=range(len(stories_in(PAGE))))
def test_a_story_of_the_page_happens_as_it_is_told(story: str):
    assert not play(story)


def test_a_story_that_is_told_wrong_is_noticed():
    story = next(story for story in stories_in(PAGE) if "at the latest 13:01" in story)
    assert play(story.replace("at the latest 13:01", "at the latest 13:00"))
    assert play(story.replace("-> ada starts", "-> nothing"))


def test_every_reason_and_cause_stands_in_a_table_of_the_page():
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert named == {known.value for kind in (WaitReason, BreakCause, ExtensionReason) for known in kind}
