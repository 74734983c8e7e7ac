"""What pool.yaml says, made to fit the devices that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase

from labpool.domain.catalogue import Catalogue, Flavour, Profile, Project
from labpool.domain.inventory import Device, Inventory

_LONGEST = timedelta(hours=8)


def flavour_of_card(product: str, patterns: Mapping[str, str]) -> str:
    """The flavour of a card by its product name: the first pattern that fits, else a name made from the product's.

    Patterns know `*`, `?` and `[...]`; case doesn't count.
    """
    for flavour, pattern in patterns.items():
        if fnmatchcase(product.lower(), pattern.lower()):
            return flavour
    return re.sub(r"[^a-z0-9]+", "-", product.lower()).strip("-")[:40].strip("-") or "gpu"


def complete_catalogue(catalogue: Catalogue, inventory: Inventory) -> Catalogue:
    """Add a flavour and a one-GPU profile for each kind of device that nobody named.

    The devices are split evenly over the projects, what is left over goes to those of most weight (of equal ones the
    first in the file), and each project may borrow the rest.
    """
    unnamed = dict.fromkeys(d.flavour for d in inventory.devices if d.flavour not in catalogue.flavours)
    for flavour in unnamed:
        catalogue = _with_flavour(catalogue, inventory, inventory.of_flavour(flavour))
    return catalogue


def hidden_profiles(catalogue: Catalogue, inventory: Inventory) -> dict[str, str]:
    """Profiles that no node can hold, each with the reason in words; they are not offered."""
    reasons = {name: _why_hidden(catalogue, inventory, profile) for name, profile in catalogue.profiles.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def _with_flavour(catalogue: Catalogue, inventory: Inventory, devices: tuple[Device, ...]) -> Catalogue:
    card = devices[0]
    title = card.product or card.flavour
    profile = _profile_for(catalogue, inventory, card, title)
    return replace(
        catalogue,
        flavours={**catalogue.flavours, card.flavour: Flavour(card.flavour, title, card.memory_gib)},
        profiles={**catalogue.profiles, profile.name: profile},
        projects=_shared_out(catalogue, card.flavour, len(devices), profile.name),
    )


def _shared_out(catalogue: Catalogue, flavour: str, count: int, profile: str) -> dict[str, Project]:
    projects = catalogue.projects
    each, left_over = divmod(count, len(projects)) if projects else (0, 0)
    shared = {}
    heaviest = sorted(projects, key=catalogue.weight_of, reverse=True)[:left_over]
    for name, project in projects.items():
        own = each + (name in heaviest)
        shared[name] = replace(
            project,
            nominal={**project.nominal, flavour: own},
            borrow={**project.borrow, flavour: count - own},
            profiles=(*project.profiles, profile),
        )
    return shared


def _profile_for(catalogue: Catalogue, inventory: Inventory, card: Device, title: str) -> Profile:
    """One device with its even share of its node's CPU and memory."""
    name = f"{card.flavour}-1"
    while name in catalogue.profiles:
        name += "-gpu"
    beside = sum(device.node == card.node for device in inventory.devices)
    cpu, memory = next(((n.cpu, n.memory_gib) for n in inventory.nodes if n.name == card.node), (1.0, 1.0))
    return Profile(
        name=name,
        title=f"One {title}",
        flavour=card.flavour,
        gpus=1,
        cpu=float(max(1, int(cpu / beside))),
        memory_gib=float(max(1, int(memory / beside))),
        longest=max(_LONGEST, catalogue.queue.shortest),
        preset="single",
    )


def _why_hidden(catalogue: Catalogue, inventory: Inventory, profile: Profile) -> str:
    if profile.flavour is None:
        return ""
    title = catalogue.flavours[profile.flavour].title
    most = inventory.most_on_one_node(profile.flavour)
    if most == 0:
        return f"There is no {title} in this pool."
    if most < profile.gpus:
        return f"No node holds {profile.gpus} of {title}; the largest has {most}."
    return ""
