"""Running a command that asks the pool: its answer, a question back, or the end with an exit code that says why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from typing import NoReturn, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from labpool.api_models import Confirmation
from labpool.cli.pool_access import NoPool, pool_address
from labpool.client import PoolRefused, PoolUnavailable, SyncPoolClient
from labpool.settings import InvalidSetting

Answer = TypeVar("Answer")


class Exit(IntEnum):
    """Exit codes of every command that asks the pool."""

    DONE = 0
    REFUSED = 1
    WRONG_COMMAND_LINE = 2
    NO_POOL = 3
    NOT_CONFIRMED = 4


@contextmanager
def the_pool() -> Iterator[SyncPoolClient]:
    """A client of the pool; what goes wrong ends the command with words and an exit code."""
    try:
        with pool_address().client() as client:
            yield client
    except NoPool as error:
        fail(str(error), Exit.NO_POOL)
    except PoolUnavailable as error:
        fail(f"{error}. `labpool doctor` says what is wrong.", Exit.NO_POOL)
    except PoolRefused as error:
        asks = error.problem.confirm is not None
        fail(str(error), Exit.NOT_CONFIRMED if asks else Exit.REFUSED)
    except (InvalidSetting, ValidationError) as error:
        fail(str(error), Exit.WRONG_COMMAND_LINE)


def confirmed(ask: Callable[[Confirmation | None], Answer], accepted: int | None) -> Answer:
    """Do what may break promises: with so many accepted; else a person at a terminal is asked, a script is told."""
    try:
        return ask(Confirmation(broken=accepted) if accepted is not None else None)
    except PoolRefused as refused:
        wanted = refused.problem.confirm
        if wanted is None:
            raise
        question = f"{refused.problem.detail} Do it all the same?"
        if not sys.stdin.isatty():
            fail(
                f"{refused.problem.detail} Nothing was done. To accept that: --confirm {wanted.broken}",
                Exit.NOT_CONFIRMED,
            )
        if not typer.confirm(question):
            fail("Nothing was done.", Exit.NOT_CONFIRMED)
        return ask(wanted)


def moment(text: str | None) -> datetime | None:
    """A time given on the command line; without an offset it is this machine's."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
    except ValueError:
        fail(f'"{text}" is no time; expected something like 2026-10-19T15:00.', Exit.WRONG_COMMAND_LINE)


def print_json(answer: BaseModel | Sequence[BaseModel]) -> None:
    """An answer as one JSON value."""
    if isinstance(answer, BaseModel):
        typer.echo(answer.model_dump_json(indent=2))
    else:
        typer.echo("[" + ",\n".join(each.model_dump_json(indent=2) for each in answer) + "]")


def fail(message: str, code: Exit) -> NoReturn:
    """End with a message that says what to do."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
