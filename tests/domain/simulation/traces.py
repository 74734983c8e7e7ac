"""Small traces to play, and the pool they are played in."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from labpool.domain.catalogue import Catalogue
from labpool.domain.simulation.outcome import Outcome, Run
from labpool.domain.simulation.policies import Policy
from labpool.domain.simulation.replay import replay
from labpool.domain.simulation.trace import Arrival

from tests.domain.lab import catalogue, inventory

HOUR = 3600.0
NODES = {"n1": 4, "n2": 2}
ROOMY = catalogue({"vision": (100, 0), "speech": (100, 0)}, gpus=100)


def arrival(
    submit: float = 0,
    gpus: int = 1,
    wall: float = 1,
    run: float | None = None,
    user: str = "ada",
    project: str = "vision",
) -> Arrival:
    """A request; times in hours; it uses all it asked for unless `run` says otherwise."""
    return Arrival(submit * HOUR, user, project, gpus, "gpu", wall * HOUR, (wall if run is None else run) * HOUR)


def played(
    policy: Policy, *arrivals: Arrival, nodes: dict[str, int] | None = None, rules: Catalogue | None = None
) -> Outcome:
    """The outcome of a trace in a pool of six devices on two nodes, whose limits bind nobody, unless said otherwise."""
    return replay(arrivals, inventory(nodes or NODES), rules or ROOMY, policy)


def hours(runs: Sequence[Run]) -> dict[str, float]:
    """When each user's run started."""
    return {run.arrival.user: run.start_s / HOUR for run in runs}


def _sorted(arrivals: list[Arrival]) -> tuple[Arrival, ...]:
    return tuple(sorted(arrivals, key=lambda each: each.submit_s))


traces = st.lists(
    st.builds(
        arrival,
        submit=st.integers(0, 24).map(lambda quarter: quarter / 4),
        gpus=st.sampled_from((1, 1, 2, 3, 4)),
        wall=st.sampled_from((0.5, 1, 2, 5)),
        run=st.sampled_from((0, 0.1, 0.7, 1, 2, 6)),
        user=st.sampled_from(("ada", "bert", "lin", "eve")),
        project=st.sampled_from(tuple(ROOMY.projects)),
    ),
    min_size=8,
    max_size=16,
).map(_sorted)
