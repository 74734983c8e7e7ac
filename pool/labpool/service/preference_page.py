"""The page on which one says how one wants to be told, and what of it a ticket's page shows."""

from __future__ import annotations

from labpool.domain.notices import NoticeKind
from labpool.service.parts import Parts
from labpool.store import Way

KINDS = (
    (NoticeKind.NEAR, "My turn is near"),
    (NoticeKind.LIKELY_CHANGED, "My turn likely comes much earlier or later"),
    (NoticeKind.GRANTED, "It is my turn"),
    (NoticeKind.ENDING, "My GPU hours end soon"),
    (NoticeKind.TAKEN_BACK, "GPUs that I borrowed go back"),
    (NoticeKind.REQUEUED, "Borrowed GPUs went back; I am in line again"),
    (NoticeKind.UNCLAIMED, "I missed my turn"),
    (NoticeKind.LOST, "The machine of my GPUs is gone"),
    (NoticeKind.PROMISE_BROKEN, "My GPUs come later than I was told"),
    (NoticeKind.EXTENDED, "A lease of mine was extended"),
)
"""What there is to choose, in the order of the page."""


async def mails_its_turn(pool: Parts, user: str) -> bool | None:
    """Whether a user gets a mail when it is their turn; None where this pool sends no mails."""
    if pool.post.settings().mail is None:
        return None
    return await pool.desk.view(lambda view: Way.EMAIL in view.preferences.of(user).ways(NoticeKind.GRANTED.value))
