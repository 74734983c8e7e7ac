"""pool.yaml, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labpool.domain.catalogue import Catalogue
from labpool.domain.inventory import Device, Node
from labpool.settings.checking import check_sections
from labpool.settings.cluster import ClusterSettings, cluster_settings
from labpool.settings.conversion import catalogue_of, simulated_devices, simulated_nodes
from labpool.settings.findings import Finding, InvalidPoolFile, KeyPath
from labpool.settings.kueue_section import KueueSettings, kueue_settings
from labpool.settings.located_yaml import read_yaml
from labpool.settings.notices import NoticeSettings, notice_settings
from labpool.settings.references import CrossChecks


@dataclass(frozen=True, slots=True)
class PoolFile:
    """What pool.yaml says.

    `patterns` maps flavours, in the file's order, to the pattern of the product names that belong to them. `sha256` is
    the hash of the file's bytes, by which hub and pool see whether they read the same. `lines` gives each key's line.
    `audit_heads` is the second place of the audit trail, None for the one in the data folder.
    """

    path: Path
    sha256: str
    engine: str
    catalogue: Catalogue
    cluster: ClusterSettings
    kueue: KueueSettings
    simulated_nodes: tuple[Node, ...]
    simulated_devices: tuple[Device, ...]
    patterns: Mapping[str, str]
    reconcile_seconds: float
    notices: NoticeSettings
    warnings: tuple[Finding, ...]
    lines: Mapping[KeyPath, int]
    audit_heads: str | None


def load_pool_file(path: Path) -> PoolFile:
    """Read `path`.

    Raises:
        InvalidPoolFile: the file can't be read or something in it is wrong; the message has one line for each error.
    """
    source = read_yaml(path)
    checked = check_sections(source, path.name)
    across = CrossChecks(source, path.name, checked)
    across.run()
    errors = (*source.findings, *checked.findings, *across.errors)
    if errors:
        raise InvalidPoolFile(path, tuple(sorted(errors, key=lambda finding: finding.line)))
    sections = checked.sections
    return PoolFile(
        path=path,
        sha256=source.sha256,
        engine=sections.engine,
        catalogue=catalogue_of(sections),
        cluster=cluster_settings(sections),
        kueue=kueue_settings(sections.kueue, sections.kubernetes.namespace or ""),
        simulated_nodes=simulated_nodes(sections.simulated),
        simulated_devices=simulated_devices(sections),
        patterns={name: flavour.nvml for name, flavour in sections.flavours.items() if flavour.nvml},
        reconcile_seconds=sections.queue.reconcile_seconds,
        notices=notice_settings(sections.notices),
        warnings=tuple(sorted(across.warnings, key=lambda finding: finding.line)),
        lines=source.lines,
        audit_heads=sections.audit.heads,
    )
