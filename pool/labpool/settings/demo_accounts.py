"""The people of the demonstration: whom the hub's configuration lets in, and what is printed at the start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One account: its groups at the hub, whether it is an admin there, and who that is in words."""

    name: str
    title: str
    groups: tuple[str, ...] = ()
    admin: bool = False


DEMO_ACCOUNTS = (
    DemoAccount("ada", "researcher in the vision group", ("vision",)),
    DemoAccount("bert", "researcher in the speech group", ("speech",)),
    DemoAccount("olga", "owner of the vision project", ("vision-owners",)),
    DemoAccount("admin", "admin of the lab", admin=True),
)
