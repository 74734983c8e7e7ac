"""The entries of `terms` in pool.yaml, and what must fit together in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from pydantic import Field

from labpool.domain.calendar import Term
from labpool.settings.findings import KeyPath
from labpool.settings.section import Section
from labpool.settings.values import Title

_DAY = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
TERM_PATTERNS_IN_WORDS = {_DAY: "a day like 2026-04-01"}


class TermSection(Section):
    """A term, by whose days usage can be summed up."""

    name: Title = Field(description="What people read, different from the others'.", examples=["Summer 2026"])
    first: str = Field(pattern=_DAY, description="Its first day, in the file's timezone.", examples=["2026-04-01"])
    last: str = Field(pattern=_DAY, description="Its last day.", examples=["2026-09-30"])


def terms_of(sections: Sequence[TermSection]) -> tuple[Term, ...]:
    """The terms by time; for sections in which nothing is wrong."""
    terms = (Term(each.name, date.fromisoformat(each.first), date.fromisoformat(each.last)) for each in sections)
    return tuple(sorted(terms, key=lambda term: term.first))


def wrong_in_terms(sections: Sequence[TermSection]) -> Iterator[tuple[KeyPath, str, str]]:
    """Each error as its place below `terms`, the problem and the remedy; days between two terms are none."""
    known: list[Term] = []
    for index, section in enumerate(sections):
        missing = [key for key in ("first", "last") if not _is_day(getattr(section, key))]
        for key in missing:
            yield (index, key), f"the calendar has no {getattr(section, key)}", "Write a day that there is."
        if missing:
            continue
        term = terms_of([section])[0]
        if term.last < term.first:
            yield (index, "last"), f"{term.last} is before the first day, {term.first}", "Correct one of the two."
            continue
        yield from _beside_others(index, term, known)
        known.append(term)


def _beside_others(index: int, term: Term, others: list[Term]) -> Iterator[tuple[KeyPath, str, str]]:
    if any(other.name == term.name for other in others):
        yield (index, "name"), f'"{term.name}" is the name of a term above', "Give each term its own name."
    for other in others:
        if term.first <= other.last and other.first <= term.last:
            shared = f"{max(term.first, other.first)} to {min(term.last, other.last)}"
            problem = f'"{term.name}" and "{other.name}" overlap: both have {shared}'
            yield (index, "first"), problem, "Let each term begin after the last day of the one before."
            return


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
