"""What a labpool server tells the notebooks that run in it, parsed once at the edge.

The spawner of a leased server sets the LABPOOL_* variables. All of them are optional: without them the package works
on any machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRESETS: Final = ("cpu", "single", "mirrored")
PRECISIONS: Final = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
XLA_SETTINGS: Final = ("auto", "on", "off")
_FOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class SettingError(ValueError):
    """A setting of the server, or an argument, is none of the values that make sense."""


@dataclass(frozen=True, slots=True)
class Device:
    """One leased GPU; `memory_gib` is its memory in GiB, or None where the server doesn't say."""

    id: str
    flavour: str
    simulated: bool
    memory_gib: float | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings of this server; `preset` is None outside labpool."""

    preset: str | None = None
    devices: tuple[Device, ...] = ()
    precision: str = "auto"
    xla: str = "auto"
    user: str | None = None
    project: str | None = None
    logs: Path | None = None
    runtime: Path | None = None

    @property
    def simulated(self) -> int:
        """How many of the leased GPUs are simulated ones."""
        return sum(device.simulated for device in self.devices)

    @property
    def leased(self) -> int:
        """How many real GPUs are leased."""
        return len(self.devices) - self.simulated


def read_environment(variables: Mapping[str, str]) -> Environment:
    """Parse the LABPOOL_* variables; an empty one counts as not set.

    Raises:
        SettingError: a variable has a value that this package doesn't know.
    """
    preset = variables.get("LABPOOL_PRESET")
    project = variables.get("LABPOOL_PROJECT")
    return Environment(
        preset=one_of("LABPOOL_PRESET", preset, PRESETS) if preset else None,
        devices=_devices(variables.get("LABPOOL_DEVICES") or "[]"),
        precision=one_of("LABPOOL_PRECISION", variables.get("LABPOOL_PRECISION") or "auto", PRECISIONS),
        xla=one_of("LABPOOL_XLA", variables.get("LABPOOL_XLA") or "auto", XLA_SETTINGS),
        user=variables.get("JUPYTERHUB_USER") or None,
        project=folder_name("LABPOOL_PROJECT", project) if project else None,
        logs=_folder(variables.get("LABPOOL_LOGS")),
        runtime=_folder(variables.get("LABPOOL_RUNTIME")),
    )


def one_of(setting: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is allowed.

    Raises:
        SettingError: it isn't.
    """
    if value in allowed:
        return value
    raise SettingError(
        f"{setting} is {value!r}; expected one of {', '.join(allowed)}. Set one of these, or leave it out."
    )


def folder_name(setting: str, value: str) -> str:
    """Return `value` if it can be one folder's name inside the log store.

    Raises:
        SettingError: it has other characters than letters, digits, dot, dash and underscore, or leads elsewhere.
    """
    if _FOLDER_NAME.fullmatch(value):
        return value
    raise SettingError(
        f"{setting} is {value!r}; expected 1 to 100 letters, digits, dots, dashes or underscores, starting with a "
        "letter or digit. Choose a name like 'cnn-wide'."
    )


def _folder(value: str | None) -> Path | None:
    return Path(value) if value else None


def _devices(text: str) -> tuple[Device, ...]:
    try:
        devices = _parse_devices(text)
    except (KeyError, TypeError, ValueError) as error:
        raise SettingError(
            f"LABPOOL_DEVICES is {text!r}; expected a JSON list of objects with id, flavour and simulated. "
            "The server was started with a broken setting: tell your lab admin."
        ) from error
    if len({device.simulated for device in devices}) > 1:
        raise SettingError(
            f"LABPOOL_DEVICES mixes real and simulated GPUs: {text!r}; expected only one kind. Tell your lab admin."
        )
    return devices


def _parse_devices(text: str) -> tuple[Device, ...]:
    items = json.loads(text)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise TypeError("not a list of objects")
    return tuple(
        Device(
            id=str(item["id"]),
            flavour=str(item["flavour"]),
            simulated=item["simulated"] is True,
            memory_gib=None if item.get("memory_gib") is None else float(item["memory_gib"]),
        )
        for item in items
    )
