"""The lab's terms: days that there are, in order, each in one term at the most."""

from __future__ import annotations

from datetime import date

import pytest
from labpool.domain.calendar import Term

from tests.settings.conftest import SMALL, Load, Refused


def with_terms(*terms: str) -> str:
    return SMALL + "terms:\n" + "".join(f"  - {{{term}}}\n" for term in terms)


WINTER, SUMMER = (
    "name: Winter, first: 2025-10-01, last: 2026-03-31",
    "name: Summer, first: 2026-04-15, last: 2026-09-30",
)


def test_terms_are_read_by_time_and_may_leave_days_out(load: Load):
    terms = load(with_terms(SUMMER, WINTER)).catalogue.terms
    assert terms[0] == Term("Winter", date(2025, 10, 1), date(2026, 3, 31))
    assert [term.name for term in terms] == ["Winter", "Summer"]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (
            (WINTER, "name: Summer, first: 2026-03-31, last: 2026-09-30"),
            'pool.yaml:15: terms[1].first: "Summer" and "Winter" overlap: both have 2026-03-31 to 2026-03-31. '
            "Let each term begin after the last day of the one before.",
        ),
        (
            (WINTER, SUMMER.replace("Summer", "Winter")),
            'pool.yaml:15: terms[1].name: "Winter" is the name of a term above. Give each term its own name.',
        ),
        (
            ("name: Winter, first: 2026-03-31, last: 2025-10-01",),
            "pool.yaml:14: terms[0].last: 2025-10-01 is before the first day, 2026-03-31. Correct one of the two.",
        ),
        (
            ("name: Winter, first: 2026-02-30, last: 2026-03-01",),
            "pool.yaml:14: terms[0].first: the calendar has no 2026-02-30. Write a day that there is.",
        ),
        (
            ("name: Winter, first: soon, last: 2026-03-01",),
            'pool.yaml:14: terms[0].first: expected a day like 2026-04-01, got "soon". '
            "Write, for example, first: 2026-04-01",
        ),
    ],
)
def test_wrong_terms_are_refused(refused: Refused, terms: tuple[str, ...], message: str):
    assert refused(with_terms(*terms)) == [message]
