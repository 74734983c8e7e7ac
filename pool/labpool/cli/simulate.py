"""`labpool simulate`: play a trace through the pool's rules and see what comes of it."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from labpool.cli.simulate_files import PoolOnPaper, UnusableFile, nobody_let_in, pool_on_paper, read_trace, write_text
from labpool.cli.simulate_output import Simulation, as_text, grants_csv, print_tables
from labpool.cli.simulate_plot import plot
from labpool.cli.simulate_record import record_trace
from labpool.domain.simulation.estimating import Estimating
from labpool.domain.simulation.generate import SIZES, Workload, generate, skewed
from labpool.domain.simulation.measures import measure, weights_of
from labpool.domain.simulation.outcome import Outcome
from labpool.domain.simulation.policies import PolicyName
from labpool.domain.simulation.policies import policy as policy_named
from labpool.domain.simulation.replay import replay
from labpool.domain.simulation.trace import Arrival, format_rows
from labpool.settings import pool_file_path

simulate = typer.Typer(rich_markup_mode=None)
simulate.command("record")(record_trace)

PoolOption = Annotated[
    Path | None,
    typer.Option("--pool", metavar="FILE", help="The pool.yaml to play. Default: LABPOOL_CONFIG, else hub_config."),
]

EstimatesSeed = Annotated[
    int, typer.Option("--seed", min=0, help="Another number draws other run lengths for the estimates of a start.")
]


@simulate.callback(invoke_without_command=True)
def play(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    *,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV file of requests, as `record` and `generate` write it.")
    ] = None,
    pool: PoolOption = None,
    policy: Annotated[
        PolicyName, typer.Option(help="Who decides: the pool itself, or one of two to compare it with.")
    ] = PolicyName.LABPOOL,
    seed: EstimatesSeed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw use and queue over time into this SVG file.")
    ] = None,
    grants: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every grant, in order, into this CSV file.")
    ] = None,
) -> None:
    """Play a trace through a pool's rules: waits, use, fairness and promises.

    Nothing is started; the answer depends on the two files and the seed only. Exit code: 0 done, 1 when a file can't be
    used, 2 for a wrong command line.
    """
    if context.invoked_subcommand is not None:
        return
    if trace is None:
        raise typer.BadParameter(
            "name a trace; make one with: labpool simulate record, or labpool simulate generate", param_hint="--trace"
        )
    paper = pool_on_paper(_pool_file(pool))
    outcome = _played(read_trace(trace), paper, policy, seed)
    if not outcome.runs:
        raise UnusableFile(nobody_let_in(trace, outcome, paper))
    if grants:
        write_text(grants, grants_csv(outcome))
    if picture:
        write_text(picture, plot(outcome, f"{trace.name}, {policy.value}"))
    measures = measure(outcome, weights_of(paper.catalogue))
    _tell(Simulation(trace, paper.path, policy, paper.devices, measures), as_json)


@simulate.command("generate")
def make(  # noqa: PLR0913 (each is an option of the command)
    *,
    pool: PoolOption = None,
    seed: Annotated[int, typer.Option(help="Another number gives another trace, the same one the same.")] = 1,
    load: Annotated[float, typer.Option(min=0.01, max=10, help="Work asked for over what the devices can do.")] = 0.95,
    tickets: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of requests.")] = 2500,
    flavour: Annotated[
        str | None, typer.Option(help="Kind of device asked for. Default: the one with the most devices.")
    ] = None,
    users: Annotated[int, typer.Option(min=1, help="Users in each project.")] = 20,
    skew: Annotated[
        float, typer.Option(min=1, help="Every other project asks so many times as much for its nominal devices.")
    ] = 1.0,
    heavy_users: Annotated[bool, typer.Option("--heavy-users", help="A few users ask for most.")] = False,
    diurnal: Annotated[bool, typer.Option("--diurnal", help="Most requests in the afternoon, few at night.")] = False,
) -> None:
    """Make up a trace for a pool and print it as CSV."""
    paper = pool_on_paper(_pool_file(pool))
    asked = flavour or paper.commonest_flavour
    if asked not in paper.devices:
        raise UnusableFile(f"{paper.path}: no device of flavour {asked}; expected one of {', '.join(paper.devices)}.")
    weights = {name: weight for name, weight in weights_of(paper.catalogue).items() if paper.most(name, asked)}
    most = min((paper.most(name, asked) for name in weights), default=0)
    sizes = tuple((gpus, share) for gpus, share in SIZES if gpus <= most)
    if not sizes:
        raise UnusableFile(f"{paper.path}: no project may hold a device of flavour {asked}. Give one nominal devices.")
    devices = paper.devices[asked]
    wanted = Workload(tickets, devices, load, asked, skewed(weights, skew), users, sizes, heavy_users, diurnal)
    for line in format_rows(generate(wanted, Random(seed))):  # noqa: S311 (a repeatable trace, no secret)
        typer.echo(line, nl=False)


def _tell(simulation: Simulation, as_json: bool) -> None:
    if as_json:
        typer.echo(as_text(simulation))
    else:
        print_tables(simulation, Console())


def _pool_file(named: Path | None) -> Path:
    if named is None:
        return pool_file_path(os.environ)
    return named / "pool.yaml" if named.is_dir() else named


def _played(arrivals: tuple[Arrival, ...], paper: PoolOnPaper, policy: PolicyName, seed: int) -> Outcome:
    """Replay with a progress bar, which only a terminal shows."""
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        bar = progress.add_task(f"playing {policy.value}", total=len(arrivals))
        return replay(
            arrivals,
            paper.inventory,
            paper.catalogue,
            policy_named(policy),
            lambda over: progress.update(bar, completed=over),
            Estimating(seed=seed),
        )
