"""What is different between two sequences, by counting, and that it is found where much is the same."""

from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.differences import differences


class Thing:
    """Something that is only itself."""


changes = st.lists(st.tuples(st.sampled_from(["come", "go", "replace", "move"]), st.integers(0, 99)), max_size=6)


def changed(old: list[Thing], what: list[tuple[str, int]]) -> list[Thing]:
    new = list(old)
    for kind, number in what:
        at = number % (len(new) + 1)
        if kind == "come":
            new.insert(at, Thing())
        elif new:
            at %= len(new)
            if kind == "replace":
                new[at] = Thing()
            else:
                gone = new.pop(at)
                new += [gone] if kind == "move" else []
    return new


@given(st.integers(0, 40), changes)
def test_exactly_those_are_found_that_only_one_has(many: int, what: list[tuple[str, int]]):
    old = [Thing() for _ in range(many)]
    new = changed(old, what)
    gone, come = differences(tuple(old), tuple(new))
    assert set(gone) == set(old) - set(new)
    assert set(come) == set(new) - set(old)
    assert (len(gone), len(come)) == (len(set(gone)), len(set(come)))
