"""The entries of `datasets` in pool.yaml."""

from __future__ import annotations

from pydantic import Field

from labpool.settings.section import Section
from labpool.settings.values import Title

_FOLDER = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,9}$"
DATASET_PATTERNS_IN_WORDS = {_FOLDER: "a name of a folder, without a slash at its ends, such as digits/v2"}


class DatasetSection(Section):
    """Data that projects may read and nobody may change from a server."""

    title: Title = Field(description="What people read.", examples=["Handwritten digits"])
    path: str = Field(pattern=_FOLDER, description="Its folder among the datasets.", examples=["digits"])
    licence: str = Field("", max_length=200, description="The licence it is under.", examples=["CC BY 4.0"])
