"""The entries of `profiles` in pool.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from labpool.settings.section import Section
from labpool.settings.values import Cores, Gibibytes, Slug, Title

_IMAGE = r"^[a-z0-9][A-Za-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}$"
_OBJECT = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
PROFILE_PATTERNS_IN_WORDS = {
    _IMAGE: "an image with its digest, name@sha256:… (64 hexadecimal digits)",
    _OBJECT: "a name of an object on Kubernetes, in lower case",
}
_AN_IMAGE = f"registry.example.org/lab/tensorflow@sha256:{'0' * 64}"

ObjectName: TypeAlias = Annotated[str, Field(pattern=_OBJECT, examples=["registry-key"])]


class ProfileSection(Section):
    """What a researcher picks."""

    title: Title = Field(description="What people read.", examples=["One GPU"])
    flavour: Slug | None = Field(
        None, description="Kind of device, a key of flavours. Without it: a CPU profile.", examples=["demo-gpu"]
    )
    gpus: int = Field(
        0, ge=0, le=64, description="Devices of that flavour, all on one node; 0 for a CPU profile.", examples=[1]
    )
    cpu: Cores = Field(description="CPU cores; decimals are allowed.", examples=[2])
    memory_gib: Gibibytes = Field(description="Memory in GiB.", examples=[4])
    max_hours: float = Field(
        gt=0, le=8760, allow_inf_nan=False, description="Longest run one may ask for, in hours.", examples=[8]
    )
    max_total_hours: float | None = Field(
        None,
        gt=0,
        le=8760,
        allow_inf_nan=False,
        description="How long a run may last in all, in hours: what it asked for and all that it is extended by. An "
        "extension also ends at most max_hours from when it is asked for. Left out: max_hours.",
        examples=[24],
    )
    preset: Literal["cpu", "single", "mirrored"] | None = Field(
        None,
        description="How TensorFlow spreads the work (tfpresets). Left out: cpu, single or mirrored, by the number of "
        "GPUs.",
        examples=["single"],
    )
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "auto", description="Number format of the computation (tfpresets).", examples=["auto"]
    )
    xla: Literal["auto", "on", "off"] = Field(
        "auto", description="Whether TensorFlow compiles with XLA (tfpresets).", examples=["auto"]
    )
    priority: Literal["interactive", "batch", "scavenger"] = Field(
        "interactive",
        description="Class of its requests. A higher one is planned first, even where a promise to a lower one breaks; "
        "scavenger is promised nothing and starts on what is left over.",
        examples=["interactive"],
    )
    ephemeral_gib: Gibibytes = Field(
        10,
        description="On Kubernetes: disk of its node that a pod may fill outside of its volumes, in GiB.",
        examples=[10],
    )
    shared_memory_gib: Gibibytes | None = Field(
        None,
        description="On Kubernetes: size of /dev/shm in GiB, a part of the memory. Left out: a quarter of memory_gib.",
        examples=[1],
    )
    image: str | None = Field(
        None,
        pattern=_IMAGE,
        description="On Kubernetes: its image, by digest, so that a run can be repeated. Left out: the hub's image.",
        examples=[_AN_IMAGE],
    )
    pull_secrets: list[ObjectName] = Field(
        [],
        max_length=10,
        description="On Kubernetes: secrets for the image's registry, beside those of the hub.",
        examples=[["registry-key"]],
    )
