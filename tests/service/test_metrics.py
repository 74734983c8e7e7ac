"""The pool's metrics, read as Prometheus does from a real pool."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

import httpx
import pytest
from labpool.domain.catalogue import Catalogue, Limits, UserLimit
from labpool.domain.inventory import Inventory
from labpool.domain.plans import BreakCause, BrokenPromise, Plan
from labpool.domain.world import World
from labpool.service.metrics.counts import Counts
from labpool.service.metrics.described import METRICS
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_ports
from tests.real_hub import REPOSITORY, wait_until
from tests.service.lab import Lab
from tests.service.receivers import Hook, Mailbox
from tests.service.running_pool import METRICS_TOKEN, RunningPool
from tests.service.sending import (
    address,
    box,
    chosen,
    granted_after_waiting,
    hook,
    ports,
    sending_lab,
    until_done,
    with_hook,
)
from tests.service.sending import lab as lab_with_mail
from tests.service.test_api import ACCESS, READ, WRITE

pytestmark = pytest.mark.once

__all__ = ["box", "hook", "lab_with_mail", "ports", "sending_lab"]

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
NewUser = Callable[[], str]
EMPTY = World(Inventory(), Catalogue({}, {}, {}, Limits(UserLimit(4, 3, 8))))
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(pool: RunningPool, token: str = METRICS_TOKEN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{pool.url}/metrics", headers=headers, trust_env=False, timeout=30)


def read(pool: RunningPool) -> Values:
    return parsed(scrape(pool).text)


def parsed(text: str) -> Values:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def of(values: Values, name: str, **labels: str) -> float:
    return values[name, tuple(sorted(labels.items()))]


def test_tickets_leases_devices_and_what_keeps_somebody_waiting(lab: Lab, new_user: NewUser):
    before = read(lab.pool)
    assert of(before, "labpool_devices", state="free", flavour="demo-gpu", simulated="true") == 4
    lab.pool.ask(new_user(), "gpu-4")
    lab.pool.ask(new_user())
    now = read(lab.pool)
    assert of(now, "labpool_tickets", state="granted", flavour="demo-gpu") == 1
    assert of(now, "labpool_tickets", state="queued", flavour="demo-gpu") == 1
    assert of(now, "labpool_tickets_waiting", reason="project_limit", flavour="demo-gpu") == 0
    assert of(now, "labpool_tickets_waiting", reason="devices", flavour="demo-gpu") == 1
    assert of(now, "labpool_leases", flavour="demo-gpu") == 1
    assert of(now, "labpool_devices", state="leased", flavour="demo-gpu", simulated="true") == 4
    assert of(now, "labpool_devices", state="free", flavour="demo-gpu", simulated="true") == 0
    assert of(now, "labpool_decision_seconds_count") > of(before, "labpool_decision_seconds_count")


def test_how_long_somebody_waited_is_counted_at_the_grant(lab: Lab, new_user: NewUser):
    before = read(lab.pool)
    granted_after_waiting(lab, new_user(), new_user())  # one at once, one after two minutes
    now = read(lab.pool)

    def more(bucket: str) -> float:
        name, labels = "labpool_ticket_wait_seconds_bucket", {"flavour": "demo-gpu", "le": bucket}
        return of(now, name, **labels) - before.get((name, tuple(sorted(labels.items()))), 0)

    assert (more("10.0"), more("60.0"), more("300.0"), more("+Inf")) == (1, 1, 2, 2)


def test_how_fresh_the_pools_look_is(lab: Lab):
    wait_until(lambda: of(read(lab.pool), "labpool_hub_answers") == 1, "an answer of the hub")
    assert of(read(lab.pool), "labpool_reconcile_lag_seconds") < 30


def test_who_leads_and_a_stand_by_answers_too(lab: Lab):
    (port,) = free_ports(1)
    other = RunningPool(lab.pool.folder, port, lab.hub.api_url, lab.pool.pool_yaml, lab.pool.database)
    other.start()
    try:
        stands_by = read(other)
        assert of(read(lab.pool), "labpool_leader") == 1
        assert of(stands_by, "labpool_leader") == 0
        assert of(stands_by, "labpool_decision_seconds_count") == 0
        assert "labpool_tickets" not in {name for name, _ in stands_by}
        assert scrape(other, "nobody's").status_code == 401
    finally:
        other.stop()


def test_notices_by_way_and_outcome(lab_with_mail: Lab, box: Mailbox, hook: Hook, new_user: NewUser):
    pool, mailed, called = lab_with_mail.pool, new_user(), new_user()
    before = read(pool)
    chosen(lab_with_mail, mailed)
    with_hook(lab_with_mail, called, hook)
    hook.answers.append(500)
    granted_after_waiting(lab_with_mail, new_user(), mailed, called)
    box.await_mail(address(mailed))
    hook.await_call()
    until_done(lab_with_mail)
    failed = "labpool_notice_tries_failed_total"
    wait_until(
        lambda: of(read(pool), failed, way="webhook") > of(before, failed, way="webhook"), "the failed try counted"
    )
    now = read(pool)
    sent = {"way": "email", "outcome": "sent"}
    assert of(now, "labpool_notices_total", **sent) == of(before, "labpool_notices_total", **sent) + 1
    assert of(now, "labpool_notices_waiting", way="webhook") == 1
    assert of(now, "labpool_notices_waiting", way="email") == 0


def test_broken_promises_by_cause():
    counts = Counts()
    broken = BrokenPromise("t1", NOW, None, BreakCause.OVERRUN)
    counts.decided(Plan(broken=(broken,)), EMPTY, NOW, 0.001)
    values = parsed(generate_latest(counts.registry).decode())
    assert of(values, "labpool_promises_broken_total", cause="overrun") == 1
    assert of(values, "labpool_promises_broken_total", cause="pool_outage") == 0


def test_no_label_holds_a_name(lab: Lab, new_user: NewUser):
    users = [new_user(), new_user()]
    lab.pool.ask(users[0], "gpu-4")
    lab.pool.ask(users[1])
    text = scrape(lab.pool).text
    assert not [user for user in users if user in text]


def test_who_may_read_them(lab: Lab, new_user: NewUser):
    researcher = lab.hub.token_for(new_user(), [ACCESS, READ, WRITE])
    refused = scrape(lab.pool, researcher)
    assert (refused.status_code, refused.json()["reason"]) == (403, "missing_scope")
    assert "custom:labpool:metrics" in refused.json()["detail"]
    assert scrape(lab.pool, "nobody's").status_code == 401
    assert scrape(lab.pool, lab.hub.admin_token).status_code == 200
    assert scrape(lab.pool).headers["content-type"].startswith("text/plain; version=")


def test_what_is_read_is_what_is_described(lab: Lab, new_user: NewUser):
    lab.pool.ask(new_user())
    families = {
        family.name: family
        for family in text_string_to_metric_families(scrape(lab.pool).text)
        if family.name.startswith("labpool_")
    }
    assert {name.removesuffix("_total"): kind for name, kind in ((each.name, each.kind.value) for each in METRICS)} == {
        name: family.type for name, family in families.items() if not name.endswith("_created")
    }
    for each in METRICS:
        family = families[each.name.removesuffix("_total")]
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels == set(each.labels), each.name


def test_the_page_of_metrics_is_up_to_date():
    rows = [
        f"| `{each.name}` | {each.kind.value} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for each in METRICS
    ]
    page = (REPOSITORY / "docs/metrics.md").read_text(encoding="utf-8")
    written = [line for line in page.splitlines() if line.startswith("| `labpool_")]
    assert written == rows, "write these rows into docs/metrics.md:\n" + "\n".join(rows)
