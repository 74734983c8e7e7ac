"""The section `audit` of pool.yaml."""

from __future__ import annotations

from pydantic import Field

from labpool.settings.section import Section

_SECOND_PLACE = r"^(/.+|syslog)$"
AUDIT_PATTERNS_IN_WORDS = {_SECOND_PLACE: "text: a path that begins with /, or the word syslog"}


class AuditSection(Section):
    """How the audit trail is kept safe."""

    heads: str | None = Field(
        None,
        pattern=_SECOND_PLACE,
        max_length=4096,
        description="Second place to which the trail's last row is written hourly and at a stop, so that a cut or "
        "rewritten trail shows: a file that is only added to, best on another machine's disk, or syslog. Left out: "
        "audit-heads in the data folder. Read when the pool starts.",
        examples=["/mnt/safe/labpool-heads"],
    )
