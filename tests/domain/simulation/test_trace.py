from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labpool.domain.simulation.trace import COLUMNS, Arrival, InvalidTrace, format_rows, parse
from labpool.domain.tickets import Priority

HEADER = ",".join(COLUMNS)
GOOD = "60,ada,vision,2,gpu,3600,1200.5,batch"
names = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r\n", exclude_categories=("Zs", "Cc")), min_size=1
)
seconds = st.floats(0.1, 1e8)


def faults(*lines: str) -> list[str]:
    with pytest.raises(InvalidTrace) as caught:
        parse(lines, "last.csv")
    return str(caught.value).splitlines()


@given(
    st.lists(
        st.builds(
            Arrival,
            *(seconds, names, names, st.integers(1, 64), names, seconds, seconds),
            *(st.sampled_from(Priority), st.just("") | names, st.none() | seconds, st.lists(seconds).map(tuple)),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_again(arrivals: list[Arrival]):
    assert parse(format_rows(arrivals), "a.csv") == tuple(sorted(arrivals, key=lambda each: each.submit_s))


def test_columns_may_stand_in_any_order_beside_others():
    columns = [*reversed(COLUMNS), "note"]
    row = [*reversed(GOOD.split(",")), "moved, later"]
    assert parse([",".join(columns), ",".join(row[:-1]) + ',"moved, later"', ""], "a.csv") == (
        Arrival(60, "ada", "vision", 2, "gpu", 3600, 1200.5, Priority.BATCH),
    )


def test_columns_that_no_request_uses_are_left_out():
    plain = Arrival(60, "ada", "vision", 2, "gpu", 3600, 1200.5, Priority.BATCH)
    assert "".join(format_rows([plain])).splitlines() == [HEADER, GOOD]
    left = replace(plain, cancel_s=30.0)
    assert "".join(format_rows([plain, left])).splitlines() == [f"{HEADER},cancel_s", f"{GOOD},", f"{GOOD},30"]


def test_wrong_optional_field_is_told_too():
    [fault] = faults(f"{HEADER},cancel_s,ends_s", f"{GOOD},,1 2", f"{GOOD},soon,")
    assert fault.startswith('last.csv:3: cancel_s: expected seconds, 0 or more, or nothing, got "soon".')


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("gpus", "two", 'gpus: expected a whole number of 1 or more, got "two". Write how many GPUs were asked for.'),
        ("gpus", "0", "gpus: expected a whole number of 1 or more"),
        ("gpus", "²", "gpus: expected a whole number of 1 or more"),
        ("submit_s", "-1", 'submit_s: expected seconds, 0 or more, got "-1". Write a number such as 3600.'),
        ("wall_s", "0", 'wall_s: expected seconds, more than 0, got "0"'),
        ("run_s", "nan", 'run_s: expected seconds, 0 or more, got "nan"'),
        ("run_s", "1e300", "run_s: expected seconds"),
        ("user", " ", "user: is empty. Write a name."),
        ("priority", "high", 'priority: expected one of interactive, batch, scavenger, got "high"'),
    ],
)
def test_wrong_field_is_told_with_file_line_column_and_remedy(column: str, text: str, expected: str):
    row = GOOD.split(",")
    row[COLUMNS.index(column)] = text
    [fault] = faults(HEADER, GOOD, ",".join(row))
    assert fault.startswith(f"last.csv:3: {expected}")


def test_all_faults_are_told_up_to_ten():
    assert faults(HEADER, "x,ada,vision,y,gpu,1,1,batch", "1,2") == [
        'last.csv:2: submit_s: expected seconds, 0 or more, got "x". Write a number such as 3600.',
        'last.csv:2: gpus: expected a whole number of 1 or more, got "y". Write how many GPUs were asked for.',
        "last.csv:3: has 2 fields; expected 8, one for each column of line 1.",
    ]
    many = faults(HEADER, *["1,2"] * 14)
    assert (len(many), many[-1]) == (11, "and 4 more faults like these")


def test_missing_columns_name_the_line_to_begin_with():
    assert faults("user,gpus") == [
        "last.csv:1: submit_s, project, flavour, wall_s, run_s, priority: no such column. "
        f"Begin the file with the line {HEADER}"
    ]


def test_trace_without_requests_is_refused():
    assert faults(HEADER, "") == [
        "last.csv: holds no request. Write one a line below the line with the columns' names."
    ]


def test_broken_quotes_are_told_with_their_line():
    [fault] = faults(HEADER, GOOD, GOOD.replace("ada", '"ada" b'))
    assert fault.startswith("last.csv:3: is no CSV (")
