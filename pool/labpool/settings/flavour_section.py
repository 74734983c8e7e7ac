"""The entries of `flavours` in pool.yaml: what people read of a device, and how it is found."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from labpool.settings.section import Section
from labpool.settings.values import Title

_RESOURCE = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_LABEL = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$"
FLAVOUR_PATTERNS_IN_WORDS = {
    _RESOURCE: "a name of a resource, with its domain, such as nvidia.com/gpu",
    _LABEL: "a name of a label, such as nvidia.com/gpu.product",
    _LABEL_VALUE: "text of at most 63 letters, digits, dots, hyphens and underscores",
}

LabelName: TypeAlias = Annotated[str, Field(pattern=_LABEL, examples=["nvidia.com/gpu.product"])]
LabelValue: TypeAlias = Annotated[str, Field(pattern=_LABEL_VALUE, examples=["NVIDIA-A100-SXM4-80GB"])]


class TolerationSection(Section):
    """A taint of nodes on which pods of a flavour may run all the same."""

    key: LabelName = Field(description="The taint's key.", examples=["nvidia.com/gpu"])
    value: LabelValue | None = Field(None, description="The taint's value. Left out: any.", examples=["present"])
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="What the taint does. Left out: any.", examples=["NoSchedule"]
    )


class FlavourSection(Section):
    """A kind of device."""

    title: Title = Field(description="What people read.", examples=["A100 80 GB"])
    gpu_memory_gib: float = Field(
        0, ge=0, le=4096, allow_inf_nan=False, description="Memory of one device in GiB; 0 = not said.", examples=[80]
    )
    charge: float = Field(
        1.0,
        ge=0,
        le=1000,
        allow_inf_nan=False,
        description="GPU-hours booked for one hour of one device.",
        examples=[1.0],
    )
    nvml: str | None = Field(
        None,
        min_length=1,
        max_length=120,
        description="Pattern of the product name that NVML gives for a card, as `nvidia-smi -L` shows it: * stands for "
        "any text, case doesn't count. The first flavour of the file that fits wins. Without it, cards fit whose name "
        "in lower case with hyphens is the flavour's.",
        examples=["NVIDIA A100*80GB*"],
    )
    shared: bool = Field(
        False,
        description="Whether several servers share one card (time-slicing, MPS). Each is then told to use no more than "
        "gpu_memory_gib of it.",
        examples=[True],
    )
    resource: str = Field(
        "nvidia.com/gpu",
        pattern=_RESOURCE,
        description="On Kubernetes: the resource of which a pod asks for one a device.",
        examples=["nvidia.com/mig-1g.10gb"],
    )
    node_labels: dict[LabelName, LabelValue] = Field(
        {},
        max_length=20,
        description="On Kubernetes: labels of the nodes that have it.",
        examples=[{"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}],
    )
    tolerations: list[TolerationSection] | None = Field(
        None,
        max_length=20,
        description="On Kubernetes: taints of its nodes that its pods tolerate. Left out: any taint nvidia.com/gpu for "
        "NVIDIA's resources, else any that is named after the resource.",
    )
