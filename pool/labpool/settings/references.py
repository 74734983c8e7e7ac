"""What must fit together across sections of pool.yaml: names that lead somewhere, numbers that allow each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from labpool.settings.checking import Checked, suggestion
from labpool.settings.findings import Finding, KeyPath, dotted
from labpool.settings.located_yaml import LocatedYaml
from labpool.settings.pool_yaml import ProjectSection
from labpool.settings.profile_section import ProfileSection
from labpool.settings.term_section import wrong_in_terms
from labpool.settings.time_zones import zone_named, zone_names


@dataclass(frozen=True, slots=True)
class CrossChecks:
    """Findings across sections. Errors forbid the file; warnings only say what will surprise somebody."""

    source: LocatedYaml
    file: str
    checked: Checked
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def run(self) -> None:
        """Fill `errors` and `warnings`."""
        sections = self.checked.sections
        self._time_zone(sections.timezone)
        for place, problem, remedy in wrong_in_terms(sections.terms):
            self._error(("terms", *place), problem, remedy)
        self._something_to_pick()
        for name, profile in sections.profiles.items():
            self._profile(("profiles", name), profile)
        for name, project in sections.projects.items():
            self._project(("projects", name), project)
            self._datasets(("projects", name, "datasets"), project)
        for name, flavour in sections.flavours.items():
            if flavour.shared and not flavour.gpu_memory_gib:
                problem = "missing; expected with shared: true"
                self._error(("flavours", name, "gpu_memory_gib"), problem, "Say how much of the card each may use.")
        self._simulated_nodes()
        self._kueue()
        self._mail_server()

    def _time_zone(self, name: str) -> None:
        if zone_named(name) is None:
            remedy = f"{suggestion(name, zone_names())} Write an IANA name, such as Europe/Berlin or UTC."
            self._error(("timezone",), f'no time zone is named "{name}"', remedy.strip())

    def _something_to_pick(self) -> None:
        for section in ("profiles", "projects"):
            if not getattr(self.checked.declared, section):
                self._error((section,), f"expected one {section[:-1]} or more, got none", _START)

    def _profile(self, path: KeyPath, profile: ProfileSection) -> None:
        if profile.flavour is None and profile.gpus:
            problem = f"expected 0 without a flavour, got {profile.gpus}"
            self._error((*path, "gpus"), problem, "Say which devices: add a flavour, or remove gpus for a CPU profile.")
        if profile.flavour is not None:
            self._known((*path, "flavour"), profile.flavour, "flavour", self.checked.declared.flavours)
            self._gpu_profile(path, profile)
        shortest = self.checked.sections.queue.shortest_minutes
        if profile.max_hours * 60 < shortest:
            problem = (
                f"expected at least queue.shortest_minutes ({shortest:g} minutes), got {profile.max_hours:g} hours"
            )
            self._error((*path, "max_hours"), problem, "Raise max_hours, or lower queue.shortest_minutes.")
        if profile.shared_memory_gib is not None and profile.shared_memory_gib > profile.memory_gib:
            problem = f"expected at most memory_gib ({profile.memory_gib:g}), got {profile.shared_memory_gib:g}"
            self._error((*path, "shared_memory_gib"), problem, "Lower it, or raise memory_gib, of which it is a part.")
        if profile.max_total_hours is not None and profile.max_total_hours < profile.max_hours:
            problem = f"expected at least max_hours ({profile.max_hours:g}), got {profile.max_total_hours:g}"
            self._error((*path, "max_total_hours"), problem, "Raise it, or leave it out: it is max_hours then.")

    def _gpu_profile(self, path: KeyPath, profile: ProfileSection) -> None:
        if profile.gpus == 0:
            problem = f"expected 1 or more with flavour {profile.flavour}, got 0"
            self._error((*path, "gpus"), problem, "Write gpus: 1, or remove the flavour for a CPU profile.")
        limits = self.checked.sections.limits
        own = [limit.gpus or 0 for limit in (*limits.groups.values(), *limits.users.values())]
        if profile.gpus > max(limits.user.gpus, *own, 0):
            problem = f"{profile.gpus} GPUs are more than anybody may hold"
            self._warn(
                (*path, "gpus"), problem, "Raise limits.user.gpus or the limit of a group; until then all are refused."
            )
        if profile.preset in {"cpu", "single"} and profile.gpus > 1:
            problem = f'preset "{profile.preset}" leaves {profile.gpus - (profile.preset == "single")} GPUs unused'
            self._warn((*path, "preset"), problem, "Write preset: mirrored, or lower gpus.")

    def _project(self, path: KeyPath, project: ProjectSection) -> None:
        declared = self.checked.declared
        for key in ("nominal", "borrow", "lend"):
            for flavour in getattr(project, key):
                self._known((*path, key, flavour), flavour, "flavour", declared.flavours)
        self._lending(path, project)
        for index, name in enumerate(project.profiles):
            here = (*path, "profiles", index)
            self._known(here, name, "profile", declared.profiles)
            if name in project.profiles[:index]:
                self._error(here, f'"{name}" stands in the list twice', "Remove one of the two.")
            else:
                self._in_reach(here, name, project)
        members, owners = project.members, project.owners
        if not (members.everyone or members.users or members.groups or owners.users or owners.groups):
            self._warn((*path, "members"), "nobody is a member", "Add users or groups, or everyone: true.")

    def _lending(self, path: KeyPath, project: ProjectSection) -> None:
        for flavour, lent in project.lend.items():
            own = project.nominal.get(flavour, 0)
            if lent > own and flavour in self.checked.declared.flavours:
                problem = f"expected at most nominal ({own}), got {lent}"
                self._error(
                    (*path, "lend", flavour), problem, "Lower it, raise nominal, or leave it out: all are lent then."
                )

    def _in_reach(self, path: KeyPath, name: str, project: ProjectSection) -> None:
        profile = self.checked.sections.profiles.get(name)
        if profile is None or profile.flavour is None:
            return
        most = project.nominal.get(profile.flavour, 0) + project.borrow.get(profile.flavour, 0)
        if profile.gpus > most:
            problem = f'"{name}" takes {profile.gpus} of {profile.flavour}, and the project may hold {most} at once'
            self._warn(path, problem, "Raise nominal or borrow, or remove the profile; until then all are refused.")

    def _datasets(self, path: KeyPath, project: ProjectSection) -> None:
        for index, name in enumerate(project.datasets):
            self._known((*path, index), name, "dataset", self.checked.sections.datasets)
            if name in project.datasets[:index]:
                self._error((*path, index), f'"{name}" stands in the list twice', "Remove one of the two.")

    def _simulated_nodes(self) -> None:
        seen: set[str] = set()
        for index, node in enumerate(self.checked.sections.simulated.nodes):
            path: KeyPath = ("simulated", "nodes", index)
            if node.name in seen:
                self._error(
                    (*path, "name"), f'"{node.name}" is the name of a node above', "Give each node its own name."
                )
            seen.add(node.name)
            for flavour in node.devices:
                self._known((*path, "devices", flavour), flavour, "flavour", self.checked.declared.flavours)

    def _kueue(self) -> None:
        for project, quota in self.checked.sections.kueue.quotas.items():
            path: KeyPath = ("kueue", "quotas", project)
            self._known(path, project, "project", self.checked.declared.projects)
            for key, of_flavour in (("cpu", quota.cpu), ("memory_gib", quota.memory_gib)):
                for flavour in of_flavour:
                    self._known((*path, key, flavour), flavour, "flavour", self.checked.declared.flavours)

    def _mail_server(self) -> None:
        email = self.checked.sections.notices.email
        if email is not None and email.user and email.tls == "none":
            remedy = "Write tls: starttls or tls: tls, or leave out the user."
            self._warn(("notices", "email", "tls"), "the password would travel unencrypted", remedy)

    def _known(self, path: KeyPath, name: str, kind: str, known: Iterable[str]) -> None:
        names = sorted(known)
        if name not in names:
            self._error(path, f'no {kind} is named "{name}"', suggestion(name, names))

    def _error(self, path: KeyPath, problem: str, remedy: str) -> None:
        key = dotted(path)
        if key not in {finding.key for finding in self.checked.findings}:  # one error a key is enough
            self.errors.append(Finding(self.file, self.source.line_of(path), key, problem, remedy))

    def _warn(self, path: KeyPath, problem: str, remedy: str) -> None:
        self.warnings.append(Finding(self.file, self.source.line_of(path), dotted(path), problem, remedy))


_START = "Start from the pool.yaml that comes with labpool."
