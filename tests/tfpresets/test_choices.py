import pytest
from tfpresets.choices import GPUsNotFound, StrategyChoice, choose_precision, choose_strategy, choose_xla
from tfpresets.environment import Device, Environment

REAL = Device("GPU-5d1c", "a100-80gb", simulated=False)
SIMULATED = Device("demo-0", "demo-gpu", simulated=True)
ONE = StrategyChoice("default", 1, "")
TWO = StrategyChoice("mirrored", 2, "")


@pytest.mark.parametrize("preset", ["single", "mirrored"])
@pytest.mark.parametrize("gpus", [1, 2, 4])
def test_each_simulated_gpu_becomes_a_replica_and_the_reason_says_so(preset: str, gpus: int):
    choice = choose_strategy(Environment(preset, (SIMULATED,) * gpus), visible_gpus=0)
    assert (choice.kind, choice.replicas) == ("simulated", gpus)
    assert f"{gpus} logical CPU device" in choice.why
    assert "simulated" in choice.why


@pytest.mark.parametrize(
    ("preset", "leased", "expected"),
    [
        ("cpu", 0, ("default", 1)),
        ("single", 1, ("default", 1)),
        ("single", 2, ("default", 1)),
        ("mirrored", 1, ("default", 1)),
        ("mirrored", 4, ("mirrored", 4)),
        (None, 0, ("default", 1)),
    ],
)
def test_real_gpus_follow_the_preset(preset: str | None, leased: int, expected: tuple[str, int]):
    choice = choose_strategy(Environment(preset, (REAL,) * leased), visible_gpus=leased)
    assert (choice.kind, choice.replicas) == expected


def test_a_gpu_that_stays_unused_is_named():
    assert "first of 2 GPUs" in choose_strategy(Environment("single", (REAL, REAL)), visible_gpus=2).why


def test_leased_gpus_that_tensorflow_does_not_see_are_an_error_with_a_remedy():
    with pytest.raises(GPUsNotFound, match=r"leased 2 GPU\(s\) and TensorFlow sees 0.*and-cuda"):
        choose_strategy(Environment("mirrored", (REAL, REAL)), visible_gpus=0)


@pytest.mark.parametrize(
    ("capability", "policy"),
    [
        (None, "float32"),
        ((6, 1), "float32"),
        ((7, 0), "mixed_float16"),
        ((7, 5), "mixed_float16"),
        ((8, 0), "mixed_bfloat16"),
        ((12, 0), "mixed_bfloat16"),
    ],
)
def test_auto_precision_follows_the_hardware(capability: tuple[int, int] | None, policy: str):
    assert choose_precision("auto", capability).policy == policy


def test_a_precision_that_was_asked_for_is_taken_whatever_the_hardware():
    assert choose_precision("mixed_float16", None).policy == "mixed_float16"


@pytest.mark.parametrize(
    ("asked", "strategy", "gpu", "on"),
    [
        ("auto", ONE, True, True),
        ("auto", ONE, False, False),
        ("auto", TWO, True, False),
        ("on", ONE, False, True),
        ("on", TWO, True, False),
        ("off", ONE, True, False),
    ],
)
def test_xla_is_on_only_where_it_works_and_is_worth_it(asked: str, strategy: StrategyChoice, gpu: bool, on: bool):
    choice = choose_xla(asked, strategy, gpu=gpu)
    assert choice.on is on
    assert choice.why.startswith(f"XLA: {'on' if on else 'off'}")
