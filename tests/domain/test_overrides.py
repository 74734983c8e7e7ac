"""Rules of the file with what an admin changed of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from labpool.domain.budgets import Budget, Per
from labpool.domain.catalogue import Catalogue, UserLimit
from labpool.domain.overrides import Override, Rule, value_of, with_overrides

from tests.domain.lab import NINE, catalogue

HOUR = timedelta(hours=1)


def rules() -> Catalogue:
    known = catalogue({"vision": (2, 1), "speech": (2, 0)}, ada=3)
    vision = replace(known.projects["vision"], budget=Budget(100, Per.MONTH, timezone.utc))
    return replace(known, projects={**known.projects, "vision": vision})


def override(rule: Rule, value: float, name: str = "vision", until: float | None = None) -> Override:
    flavour = "gpu" if rule.of_flavour else ""
    ends = NINE + until * HOUR if until is not None else None
    return Override("o1", rule, name, flavour, value, "A deadline", "admin", NINE, ends)


def test_without_any_the_rules_are_the_very_same():
    known = rules()
    assert with_overrides(known, (), NINE) is known
    assert with_overrides(known, [override(Rule.NOMINAL, 4, until=0)], NINE) is known


@pytest.mark.parametrize(
    ("rule", "before", "value"),
    [(Rule.NOMINAL, 2, 4), (Rule.BORROW, 1, 0), (Rule.LEND, 2, 1), (Rule.WEIGHT, 2, 5.5), (Rule.BUDGET, 100, 150)],
)
def test_each_rule_of_a_project_has_the_new_value_and_others_theirs(rule: Rule, before: float, value: float):
    known = rules()
    changed = with_overrides(known, [override(rule, value)], NINE)
    flavour = "gpu" if rule.of_flavour else ""
    assert value_of(known, rule, "vision", flavour) == before
    assert value_of(changed, rule, "vision", flavour) == value
    assert changed.projects["speech"] is known.projects["speech"]


def test_each_cap_of_a_user_is_changed_on_its_own():
    known = rules()
    changed = with_overrides(known, [override(Rule.USER_GPUS, 1, "ada"), override(Rule.USER_QUEUED, 2, "lin")], NINE)
    assert changed.limits.of("ada", frozenset()) == UserLimit(1, 3, 8)
    assert changed.limits.of("lin", frozenset()) == UserLimit(4, 3, 2)
    assert changed.limits.of("eve", frozenset()) == known.limits.of("eve", frozenset())


def test_of_what_is_gone_nothing_is_changed():
    known = replace(rules(), projects={})
    assert with_overrides(known, [override(Rule.NOMINAL, 4)], NINE).projects == {}
    assert value_of(known, Rule.NOMINAL, "vision", "gpu") is None
    assert value_of(rules(), Rule.BUDGET, "speech", "") is None
