"""The distribution strategy, precision and XLA setting of this server's profile."""

from __future__ import annotations

import os
from functools import cache

import tensorflow as tf

from tfpresets.choices import StrategyChoice, choose_precision, choose_strategy, choose_xla
from tfpresets.environment import PRECISIONS, XLA_SETTINGS, Environment, one_of, read_environment
from tfpresets.said import say, say_once


class DevicesAlreadyStarted(RuntimeError):
    """TensorFlow has started its devices, so they can't be arranged any more."""


def strategy() -> tf.distribute.Strategy:
    """Return the strategy that the profile asked for, and print which and why.

    With simulated GPUs it is a MirroredStrategy over logical CPU devices, one for each leased GPU. With real ones it
    is a MirroredStrategy over them for the preset "mirrored", else TensorFlow's default, as on a CPU. A second call
    returns the same object, so a cell may be run again.

    Raises:
        DevicesAlreadyStarted: TensorFlow has computed something before the first call, and simulated GPUs need the
        CPU split. GPUsNotFound: fewer GPUs are visible to TensorFlow than leased. SettingError: a LABPOOL_* variable
        has an unknown value.
    """
    choice = current_choice()
    made = _make(choice)
    say(choice.why)
    return made


def precision(policy: str = "auto") -> str:
    """Set Keras's dtype policy for the layers made from here on, print it with the reason, and return it.

    Args:
        policy: "float32", "mixed_bfloat16", "mixed_float16", or "auto" for the profile's own; if that is "auto" too,
        the
            hardware decides: bfloat16 from compute capability 8.0, float16 from 7.0, else float32.

    Raises:
        SettingError: `policy` is none of these.
    """
    asked = one_of("precision()'s policy", policy, PRECISIONS)
    environment = _environment()
    choice = choose_precision(environment.precision if asked == "auto" else asked, _lowest_capability(environment))
    tf.keras.mixed_precision.set_global_policy(choice.policy)
    say(choice.why)
    return choice.policy


def xla(setting: str = "auto") -> bool:
    """Decide whether to compile with XLA, and print why: `model.compile(jit_compile=tfpresets.xla("auto"))`.

    Args:
        setting: "on", "off", or "auto" for the profile's own; if that is "auto" too, XLA is used on one GPU only.
        For
            several replicas it stays off even for "on", since `model.fit` fails there.

    Raises:
        SettingError: `setting` is none of these.
    """
    asked = one_of("xla()'s setting", setting, XLA_SETTINGS)
    environment = _environment()
    choice = choose_xla(
        environment.xla if asked == "auto" else asked, current_choice(), gpu=_trains_on_gpu(environment)
    )
    say(choice.why)
    return choice.on


def current_choice() -> StrategyChoice:
    """Decide the strategy of this server without starting TensorFlow's devices."""
    return choose_strategy(_environment(), len(tf.config.list_physical_devices("GPU")))


def _environment() -> Environment:
    environment = read_environment(os.environ)
    if environment.preset is None:
        say_once("not on a labpool server (LABPOOL_PRESET is not set), so this machine is used as it is.")
    return environment


@cache
def _make(choice: StrategyChoice) -> tf.distribute.Strategy:
    if choice.kind == "simulated":
        _split_cpu(choice.replicas)
        return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(choice.replicas)])
    if choice.kind == "mirrored":
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _split_cpu(devices: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    except RuntimeError as error:
        raise DevicesAlreadyStarted(
            f"TensorFlow has already started its devices in this Python process, so the CPU can't be split "
            f"into {devices} for the simulated GPUs. Restart the kernel, and call tfpresets.strategy() before anything "
            "that computes with TensorFlow."
        ) from error


def _trains_on_gpu(environment: Environment) -> bool:
    return not environment.simulated and environment.preset != "cpu" and bool(tf.config.list_physical_devices("GPU"))


def _lowest_capability(environment: Environment) -> tuple[int, int] | None:
    if not _trains_on_gpu(environment):
        return None
    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return min((detail.get("compute_capability", (0, 0)) for detail in details), default=None)
