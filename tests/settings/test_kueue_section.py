"""The section `kueue`: names that lead somewhere, and what holds where nothing is said."""

from __future__ import annotations

import pytest
from labpool.settings import KueueSettings, ProjectQuota

from tests.settings.conftest import SMALL, Load, Refused


def test_all_is_read(load: Load):
    section = "{cohort: lab, queueing: BestEffortFIFO, quotas: {vision: {cpu: {gpu: 4.5}}}}"
    found = load(f"{SMALL}kueue: {section}\nkubernetes: {{namespace: jhub}}\n").kueue
    assert found == KueueSettings("lab", "BestEffortFIFO", "jhub", {"vision": ProjectQuota(cpu={"gpu": 4.5})})
    assert found.quota("speech") == ProjectQuota()


def test_what_is_left_out_is_as_documented(load: Load):
    assert load(SMALL).kueue == KueueSettings("labpool", "StrictFIFO", "", {})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            "{quotas: {visoin: {cpu: {gpu: 4}}}}",
            'kueue.quotas.visoin: no project is named "visoin". Did you mean "vision"? Known here: vision.',
        ),
        (
            "{quotas: {vision: {memory_gib: {gpus: 4}}}}",
            'kueue.quotas.vision.memory_gib.gpus: no flavour is named "gpus". Did you mean "gpu"? Known here: gpu.',
        ),
        (
            "{queueing: FIFO}",
            'kueue.queueing: expected one of StrictFIFO, BestEffortFIFO, got "FIFO". '
            "Write, for example, queueing: StrictFIFO",
        ),
    ],
)
def test_mistakes_are_told(refused: Refused, section: str, message: str):
    assert refused(f"{SMALL}kueue: {section}\n") == [f"pool.yaml:13: {message}"]
