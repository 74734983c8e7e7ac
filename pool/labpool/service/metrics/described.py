"""Every metric of the pool: name, type, labels and meaning stand here only. No label holds a user's name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MOST_EXAMINED = 100
"""Of so many waiting tickets the reason is worked out at each scrape, in the order of the line."""


class Kind(str, Enum):
    """Type of a metric, as Prometheus has it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Described:
    """One metric."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


TICKETS = Described("labpool_tickets", Kind.GAUGE, ("state", "flavour"), "Open tickets.")
WAITING = Described(
    "labpool_tickets_waiting",
    Kind.GAUGE,
    ("reason", "flavour"),
    f"Queued tickets by what keeps them waiting, which is worked out for the first {MOST_EXAMINED} in line: of those "
    "behind, the reason is not_examined. starting: nothing does any more.",
)
WAIT = Described(
    "labpool_ticket_wait_seconds",
    Kind.HISTOGRAM,
    ("flavour",),
    "From a request, or the last ready of a missed turn, to the grant.",
)
LEASES = Described("labpool_leases", Kind.GAUGE, ("flavour",), "Leases whose devices are held.")
DEVICES = Described(
    "labpool_devices",
    Kind.GAUGE,
    ("state", "flavour", "simulated"),
    "Devices: leased, free, withheld (something is wrong with them) or out_of_service (with their machine).",
)
PROMISES = Described(
    "labpool_promises_broken_total", Kind.COUNTER, ("cause",), "Latest starts that could not be kept, by cause."
)
DECISION = Described(
    "labpool_decision_seconds",
    Kind.HISTOGRAM,
    (),
    "How long a decision about the queue took, without writing it.",
)
LAG = Described(
    "labpool_reconcile_lag_seconds",
    Kind.GAUGE,
    (),
    "Time since leases were last compared with what runs; past a few times queue.reconcile_seconds something is wrong.",
)
LEADER = Described(
    "labpool_leader",
    Kind.GAUGE,
    (),
    "1 where this process decides, 0 where it stands by, which then shows no other gauges. Over all of a pool's "
    "processes the sum is 1.",
)
HUB = Described("labpool_hub_answers", Kind.GAUGE, (), "1 where the hub answered at the last look, else 0.")
NOTICES = Described(
    "labpool_notices_total",
    Kind.COUNTER,
    ("way", "outcome"),
    "Notices that are done: sent, given_up, or unwanted (no longer true or no longer chosen).",
)
FAILED_TRIES = Described(
    "labpool_notice_tries_failed_total", Kind.COUNTER, ("way",), "Tries to send a notice that failed."
)
NOTICES_WAITING = Described("labpool_notices_waiting", Kind.GAUGE, ("way",), "Notices that are still to be sent.")

METRICS = (
    TICKETS, WAITING, WAIT, LEASES, DEVICES, PROMISES, DECISION, LEADER, LAG, HUB, NOTICES, FAILED_TRIES,
    NOTICES_WAITING,
)  # fmt: skip
