"""The section `kubernetes`, and the engine that needs it."""

from __future__ import annotations

from datetime import timedelta

from tests.settings.conftest import SMALL, Load, Refused


def test_namespace_and_engine_are_read(load: Load):
    found = load(f"{SMALL}engine: kubernetes\nkubernetes: {{namespace: jhub}}\nqueue: {{placement_minutes: 2}}\n")
    assert (found.engine, found.cluster.namespace) == ("kubernetes", "jhub")
    assert found.catalogue.queue.placement == timedelta(minutes=2)


def test_what_is_left_out_is_as_documented(load: Load):
    found = load(SMALL)
    assert (found.engine, found.cluster.namespace) == ("workstation", "")
    assert found.catalogue.queue.placement == timedelta(seconds=30)


def test_namespace_that_no_cluster_can_have_is_refused(refused: Refused):
    assert refused(f"{SMALL}kubernetes: {{namespace: Jupyter_Hub}}\n") == [
        "pool.yaml:13: kubernetes.namespace: expected a name of at most 63 lower-case letters, digits and hyphens, "
        'got "Jupyter_Hub". Write, for example, namespace: jupyterhub'
    ]
