"""What `labpool doctor` says of a namespace's quotas."""

from __future__ import annotations

import pytest
from labpool.cli.doctor_cluster import quota_finding

GPU = "nvidia.com/gpu"


def quota(name: str, **hard: str) -> dict[str, object]:
    return {
        "metadata": {"name": name},
        "spec": {"hard": {key.replace("gpus", GPU): most for key, most in hard.items()}},
    }


def of(*quotas: dict[str, object]) -> tuple[str, str]:
    found = quota_finding("lab", GPU, 16, quotas)
    assert found.name == "quota"
    return found.verdict.value, found.said


def test_quota_below_the_pool_is_a_warning_with_both_numbers():
    said = f"the ResourceQuota small lets lab use 4 {GPU}, and the pool gives out 16"
    wide, small = quota("wide", **{"requests.gpus": "32"}), quota("small", **{"requests.gpus": "4"})
    assert of(wide, small) == ("warning", said)
    assert "Raise it" in quota_finding("lab", GPU, 16, [small]).remedy


@pytest.mark.parametrize("most", ["16", "1k"])
def test_quota_of_all_that_the_pool_has_or_more_is_well(most: str):
    verdict, said = of(quota("fence", **{"requests.gpus": most}))
    assert (verdict, said.startswith("the ResourceQuota fence lets lab use")) == ("ok", True)


def test_where_none_bounds_the_resource_it_says_which_would():
    verdict, said = of(quota("cpu", **{"requests.cpu": "4"}), {"metadata": {"name": "empty"}})
    assert (verdict, "requests.nvidia.com/gpu: 16 would be a second fence" in said) == ("ok", True)
