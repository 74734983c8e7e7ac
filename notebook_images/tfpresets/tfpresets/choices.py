"""Which strategy, precision and XLA setting fit the hardware: decisions as values, without TensorFlow.

Each carries its reason in words, which is the line that a notebook shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tfpresets.environment import Environment

BFLOAT16_CAPABILITY = (8, 0)
"""Compute capability from which NVIDIA's tensor cores take bfloat16 (Ampere)."""
FLOAT16_CAPABILITY = (7, 0)
"""Compute capability from which they take float16 (Volta)."""


class GPUsNotFound(RuntimeError):
    """GPUs are leased and TensorFlow doesn't see them."""


@dataclass(frozen=True, slots=True)
class StrategyChoice:
    """How to spread training: over `replicas` devices, each of which gets an equal share of every batch."""

    kind: Literal["default", "simulated", "mirrored"]
    replicas: int
    why: str


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """A Keras dtype policy."""

    policy: str
    why: str


@dataclass(frozen=True, slots=True)
class XlaChoice:
    """Whether `model.compile` gets `jit_compile=True`."""

    on: bool
    why: str


def choose_strategy(environment: Environment, visible_gpus: int) -> StrategyChoice:
    """Decide for the leased devices and the number of GPUs that TensorFlow sees.

    Raises:
        GPUsNotFound: fewer GPUs are visible than leased; training on the CPU instead would waste the lease unnoticed.
    """
    if environment.simulated:
        return _simulated(environment.simulated)
    if environment.leased > visible_gpus:
        raise GPUsNotFound(
            f"this server leased {environment.leased} GPU(s) and TensorFlow sees {visible_gpus}. "
            "Install the build for GPUs (pip install 'tensorflow[and-cuda]') or use the image's own kernel; "
            "if `nvidia-smi` shows no GPU either, tell your lab admin."
        )
    if environment.preset == "mirrored" and visible_gpus > 1:
        return StrategyChoice("mirrored", visible_gpus, f"strategy: MirroredStrategy over {visible_gpus} GPUs.")
    return StrategyChoice("default", 1, _default_reason(environment.preset, visible_gpus))


def _simulated(gpus: int) -> StrategyChoice:
    why = (
        f"strategy: MirroredStrategy over {gpus} logical CPU device{'s' if gpus > 1 else ''}, one for each simulated"
        " GPU. It behaves like the real thing and is no faster than the CPU."
    )
    return StrategyChoice("simulated", gpus, why)


def _default_reason(preset: str | None, visible_gpus: int) -> str:
    if preset == "cpu" or not visible_gpus:
        return "strategy: TensorFlow's default, on the CPU."
    if visible_gpus == 1:
        return "strategy: TensorFlow's default, on one GPU."
    return f"strategy: TensorFlow's default, on the first of {visible_gpus} GPUs; the preset 'mirrored' would use all."


def choose_precision(asked: str, capability: tuple[int, int] | None) -> PrecisionChoice:
    """Decide the dtype policy.

    Args:
        asked: "auto", or the policy to use whatever the hardware.
        capability: The lowest CUDA compute capability of the GPUs in use; None on a CPU.
    """
    if asked != "auto":
        return PrecisionChoice(asked, f"precision: {asked}, as asked for.")
    if capability is None:
        return PrecisionChoice("float32", "precision: float32, because this trains on the CPU.")
    version = f"{capability[0]}.{capability[1]}"
    if capability >= BFLOAT16_CAPABILITY:
        return PrecisionChoice(
            "mixed_bfloat16", f"precision: mixed_bfloat16, native from compute capability 8.0 ({version} here)."
        )
    if capability >= FLOAT16_CAPABILITY:
        return PrecisionChoice(
            "mixed_float16", f"precision: mixed_float16, native from compute capability 7.0 ({version} here)."
        )
    return PrecisionChoice("float32", f"precision: float32; compute capability {version} has no tensor cores.")


def choose_xla(asked: str, strategy: StrategyChoice, *, gpu: bool) -> XlaChoice:
    """Decide whether to compile with XLA.

    Args:
        asked: "auto", "on" or "off".
        strategy: What training is spread over.
        gpu: Whether it trains on a GPU.
    """
    if asked == "off":
        return XlaChoice(False, "XLA: off, as asked for.")
    if strategy.replicas > 1:
        return XlaChoice(False, "XLA: off, because model.fit can't be compiled with it for several replicas.")
    if asked == "on":
        return XlaChoice(True, "XLA: on, as asked for.")
    if not gpu:
        return XlaChoice(False, "XLA: off, because it mostly slows training down on a CPU.")
    return XlaChoice(True, "XLA: on, for one GPU.")
