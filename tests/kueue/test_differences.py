from __future__ import annotations

from labpool.kueue.differences import FieldChange, changes_between, flattened


def test_fields_have_the_names_of_their_things_in_their_path():
    quota = {"name": "nvidia.com/gpu", "nominalQuota": "8"}
    item = {
        "kind": "ClusterQueue",
        "metadata": {"name": "vision", "labels": {"labpool/cohort": "labpool"}},
        "spec": {
            "resourceGroups": [
                {"coveredResources": ["cpu", "memory"], "flavors": [{"name": "a100", "resources": [quota]}]}
            ]
        },
        "status": {"pendingWorkloads": 3},
    }
    assert flattened(item) == {
        "spec.resourceGroups[0].coveredResources": "cpu, memory",
        "spec.resourceGroups[0].flavors[a100].resources[nvidia.com/gpu].nominalQuota": "8",
        "labels.labpool/cohort": "labpool",
    }


def test_changes_tell_who_holds_a_field_or_what_it_is_part_of():
    now, then = (
        {"spec.a": "1", "spec.groups[0].b": "2", "gone": "x"},
        {"spec.a": "1", "spec.groups[0].b": "3", "new": "y"},
    )
    assert changes_between(now, then, {"spec.groups": "kubectl-edit", "spec.g": "nobody"}) == [
        FieldChange("spec.groups[0].b", "2", "3", by="kubectl-edit"),
        FieldChange("gone", "x", None),
        FieldChange("new", None, "y"),
    ]
