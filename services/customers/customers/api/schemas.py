"""Request bodies of customers' commands."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from switchlog.web import Body

from ..domain.events import Kind
from ..domain.identity import MAX_ADDRESS

ID = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
Id = Annotated[str, Field(pattern=ID)]


class ResolveIn(Body):
    """Without ``kind`` the person is anonymous and gets a new reference."""

    kind: Kind | None = None
    address: str = Field(default="", max_length=MAX_ADDRESS)


class LinkIn(Body):
    kind: Kind
    address: str = Field(min_length=1, max_length=MAX_ADDRESS)


class MergeIn(Body):
    """``merged_ref`` is given up for the reference of the path."""

    merged_ref: Id


class ErasureIn(Body):
    reason: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9._-]*$")
