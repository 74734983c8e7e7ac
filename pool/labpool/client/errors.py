"""What can go wrong when asking the pool."""

from __future__ import annotations

from labpool.api_models import Problem


class PoolError(Exception):
    """Base of the client's errors."""


class PoolUnavailable(PoolError):
    """The pool gave no usable answer: not running, too slow, or failing inside. Nothing can be said about a request."""


class PoolRefused(PoolError):
    """The pool answered with a problem; `problem` has the words for people and the reason for programs."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.detail} {problem.remedy}".strip())
        self.problem = problem
