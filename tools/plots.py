"""`make plots`: the pictures of docs/how-the-pool-decides.md, drawn from its stories, from benchmarks and from replays.

Takes half a minute, nearly all of it replays.
"""

from __future__ import annotations

from pathlib import Path

from curve_pictures import places, taking_back
from policy_pictures import chart, waits_by_load, waits_by_project
from story_pictures import story_picture

from tests.domain.stories import stories_in

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def quick_pictures() -> dict[str, str]:
    """Pictures that follow from the pages themselves, by file name."""
    benchmarks = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    stories = stories_in(DOCS / "how-the-pool-decides.md")
    promise = next(story for story in stories if "11:00 ada stops" in story and "lin is planned for 12:01" in story)
    taken = next(story for story in stories if "gives back at" in story)
    return {
        "promise-and-early-end.svg": story_picture(
            promise,
            "A promise, and an early end",
            "One GPU from 9 to 15 o'clock. Ada asked for it until 13 and stops at 11. Lin was promised 13:01 and Eve "
            "15:02. Eve's one hour goes first, from 11 to 12; Lin starts at 12.",
            6.5,
        ),
        "taking-back.svg": story_picture(
            taken,
            "Borrowed GPUs go back to their owner",
            "Four GPUs from 9 to 18 o'clock. Ada has two of Vision's own, Lin from 9:10 on the two that Speech lends. "
            "Bert of Speech asks for one at 10 and is promised 17:01; Lin's go back at 10:15, and Bert starts. Lin is "
            "in line again, promised 17:01, and starts when Bert's two hours are over.",
            9,
        ),
        "waits-by-load.svg": chart(
            "Mean wait in minutes, by who decides",
            "made-up traces on 64 GPUs, medians of five (docs/benchmarks.md)",
            waits_by_load(benchmarks),
        ),
        "taking-back-sooner.svg": taking_back(benchmarks),
        "places-sooner.svg": places(benchmarks),
    }


def replayed_pictures() -> dict[str, str]:
    """Pictures that need replays."""
    below = "six projects with their own GPUs; a, c and e ask four times as much"
    return {
        "waits-by-project.svg": chart("Mean wait in minutes, where demand is uneven", below, waits_by_project()),
    }


def main() -> None:
    """Draw all of them."""
    for name, content in (quick_pictures() | replayed_pictures()).items():
        (DOCS / "images" / name).write_text(content, encoding="utf-8")
        print(f"docs/images/{name}: {len(content) // 1000} kB")


if __name__ == "__main__":
    main()
