"""What pool.yaml says of Kubernetes: where a flavour's devices are, and what a profile's pods get beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labpool.settings.flavour_section import FlavourSection, TolerationSection
from labpool.settings.pool_yaml import PoolYaml
from labpool.settings.profile_section import ProfileSection

LEAST_CPU, LEAST_MEMORY_GIB = 0.1, 0.5
"""Cores and GiB that every server gets, whatever its profile says."""
_NVIDIA, _NVIDIA_TAINT = "nvidia.com/", "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class Toleration:
    """A taint that a pod tolerates. An empty `value` or `effect` stands for any."""

    key: str
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class FlavourOnNodes:
    """How nodes offer a flavour. `memory_cap_gib` is what one of several on a card may use of it, in GiB; 0: all."""

    resource: str = _NVIDIA_TAINT
    node_labels: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = (Toleration(_NVIDIA_TAINT),)
    memory_cap_gib: float = 0.0


@dataclass(frozen=True, slots=True)
class PodOfProfile:
    """What a profile's pod gets beside CPU, memory and devices. Sizes in GiB.

    An empty `image` stands for the hub's, no `shared_memory_gib` for a quarter of the memory.
    """

    image: str = ""
    pull_secrets: tuple[str, ...] = ()
    ephemeral_gib: float = 10.0
    shared_memory_gib: float | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that nobody changes. `path` is its folder among the datasets."""

    name: str
    title: str
    path: str
    licence: str = ""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """All of it, by name. What pool.yaml doesn't name is as where nothing is said.

    An empty `namespace` stands for our own.
    """

    flavours: Mapping[str, FlavourOnNodes] = field(default_factory=dict)
    profiles: Mapping[str, PodOfProfile] = field(default_factory=dict)
    datasets: Mapping[str, tuple[Dataset, ...]] = field(default_factory=dict)
    namespace: str = ""

    def flavour(self, name: str) -> FlavourOnNodes:
        """How nodes offer a flavour."""
        return self.flavours.get(name, FlavourOnNodes())

    def profile(self, name: str) -> PodOfProfile:
        """What a profile's pod gets."""
        return self.profiles.get(name, PodOfProfile())

    def datasets_of(self, project: str) -> tuple[Dataset, ...]:
        """What a project's servers may read."""
        return self.datasets.get(project, ())

    @property
    def device_taints(self) -> frozenset[Toleration]:
        """The taints that keep pods without a device away from nodes with some."""
        known = (*self.flavours.values(), FlavourOnNodes())
        return frozenset(toleration for flavour in known for toleration in flavour.tolerations)


def cluster_settings(sections: PoolYaml) -> ClusterSettings:
    """The parts of pool.yaml that only Kubernetes needs."""
    datasets = {
        name: Dataset(name, section.title, section.path, section.licence) for name, section in sections.datasets.items()
    }
    return ClusterSettings(
        flavours={name: _flavour(section) for name, section in sections.flavours.items()},
        profiles={name: _profile(section) for name, section in sections.profiles.items()},
        datasets={
            name: tuple(datasets[each] for each in project.datasets) for name, project in sections.projects.items()
        },
        namespace=sections.kubernetes.namespace or "",
    )


def _flavour(section: FlavourSection) -> FlavourOnNodes:
    return FlavourOnNodes(
        resource=section.resource,
        node_labels=dict(section.node_labels),
        tolerations=_tolerations(section),
        memory_cap_gib=section.gpu_memory_gib if section.shared else 0.0,
    )


def _tolerations(section: FlavourSection) -> tuple[Toleration, ...]:
    if section.tolerations is None:
        return (Toleration(_NVIDIA_TAINT if section.resource.startswith(_NVIDIA) else section.resource),)
    return tuple(_toleration(each) for each in section.tolerations)


def _toleration(section: TolerationSection) -> Toleration:
    return Toleration(section.key, section.value or "", section.effect or "")


def _profile(section: ProfileSection) -> PodOfProfile:
    return PodOfProfile(
        image=section.image or "",
        pull_secrets=tuple(section.pull_secrets),
        ephemeral_gib=section.ephemeral_gib,
        shared_memory_gib=section.shared_memory_gib,
    )
