"""How `labpool check` shows its report: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labpool.cli.check import BudgetRow, Report
from labpool.domain.words import decimal
from labpool.settings import Finding


def as_text(report: Report) -> str:
    """The report as JSON: `file`, `valid`, `errors`, `warnings`, `simulated`, `flavours`, `profiles`, `projects`."""
    content = asdict(report) | {"path": str(report.path), "valid": report.valid}
    return json.dumps(content, indent=2)


def print_tables(report: Report, out: Console, err: Console) -> None:
    """Errors and warnings go to `err`, one a line and never broken; the summary goes to `out`."""
    for finding in report.errors:
        _print_finding("error", "red", finding, err)
    for finding in report.warnings:
        _print_finding("warning", "yellow", finding, err)
    if not report.valid:
        many = "1 error" if len(report.errors) == 1 else f"{len(report.errors)} errors"
        err.print(f"{report.path}: {many}. The pool can't start with it.", markup=False, soft_wrap=True)
        return
    for table in (_flavours(report), _profiles(report), _projects(report)):
        out.print(table)
    if report.simulated:
        out.print("No GPU was found on this machine; the devices above are simulated.")
    out.print(f"{report.path} is valid.", markup=False, soft_wrap=True)


def _print_finding(kind: str, colour: str, finding: Finding, err: Console) -> None:
    err.print(f"[{colour}]{kind}[/{colour}] {escape(str(finding))}", soft_wrap=True, highlight=False)


def _flavours(report: Report) -> Table:
    table = _table("Flavours", "name", "title", "devices", "GiB each")
    for row in report.flavours:
        title = row.title if row.named else f"{row.title} (found here, not in the file)"
        table.add_row(row.name, escape(title), str(row.devices), f"{row.memory_gib:g}" if row.memory_gib else "")
    return table


def _profiles(report: Report) -> Table:
    table = _table("Profiles", "name", "title", "GPUs", "hours", "offered")
    for row in report.profiles:
        gpus = f"{row.gpus} of {row.flavour}" if row.flavour else ""
        table.add_row(row.name, escape(row.title), gpus, f"{row.max_hours:g}", escape(row.hidden) or "yes")
    return table


def _projects(report: Report) -> Table:
    table = _table("Projects", "name", "title", "nominal", "borrow", "lend", "GPU-hours", "profiles")
    for row in report.projects:
        devices = (_devices(row.nominal), _devices(row.borrow), _devices(row.lend))
        table.add_row(row.name, escape(row.title), *devices, _budget(row.budget), ", ".join(row.profiles))
    return table


def _budget(budget: BudgetRow | None) -> str:
    return f"{decimal(budget.gpu_hours)} a {budget.per}" if budget else ""


def _devices(by_flavour: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {flavour}" for flavour, count in by_flavour.items())


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table
