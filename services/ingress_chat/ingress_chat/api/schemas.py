"""Bodies of requests and answers: snake_case names, lower-case enum words, unknown fields refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from switchlog.calendars import calendar
from switchlog.web import Body

from ..app.handlers import Draft
from ..domain.events import MessageKind

MAX_TEXT = 32_768

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
MaybeId = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$")]
Origin = Annotated[str, Field(max_length=256, pattern=r"^https?://[A-Za-z0-9.\[\]:-]+$")]
Span = Annotated[str, Field(pattern=r"^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$")]
Spans = Annotated[list[Span], Field(max_length=16)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Word = Annotated[str, Field(max_length=128)]


class VisitorIn(Body):
    """A visitor at a public door.

    ``browser`` is a secret that the page made up (128 bits at least) and keeps: who comes with it again is the same
    customer. It opens nothing, neither former conversations nor anybody's account.
    """

    site_key: Annotated[str, Field(min_length=1, max_length=128)]
    locale: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z0-9-]*$")] = ""
    attributes: Annotated[dict[Id, Word], Field(max_length=32)] = {}
    browser: Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]{22,128})?$")] = ""


class VisitorOut(BaseModel):
    """A conversation and the token that opens it, and nothing else."""

    contact_id: str
    token: str


class TicketOut(BaseModel):
    """A one-time ticket for a socket, good for 30 seconds."""

    ticket: str


class MessageIn(Body):
    """A message: ``message_id`` is the sender's own, so that a resend is harmless."""

    message_id: Id
    kind: MessageKind = MessageKind.TEXT
    text: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    attachment: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$")] = ""

    @model_validator(mode="after")
    def says_something(self) -> MessageIn:
        if not (self.text or self.attachment):
            raise ValueError("a message has a text or an attachment")
        return self

    def draft(self) -> Draft:
        return Draft(self.message_id, self.kind, self.text, self.attachment)


class TransferIn(Body):
    queue: Id
    agent: MaybeId = ""


class EntryPointIn(Body):
    """A public door as an administrator describes it."""

    site_key: Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]
    queue: Id
    name: Word = ""
    allowed_origins: Annotated[list[Origin], Field(max_length=32)] = []
    languages: Annotated[list[Word], Field(max_length=32)] = []
    declared_attributes: Annotated[list[Id], Field(max_length=32)] = []
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    reconnect_grace_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    hours: MaybeId = ""
    when_closed: Literal["end", "message", "queue"] = "end"
    closed_queue: MaybeId = ""
    last_agent_days: Annotated[int, Field(ge=0, le=366)] = 0
    last_agent_wait_s: Annotated[int, Field(ge=0, le=3600)] = 0


class HolidayIn(Body):
    name: Word = ""
    spans: Spans = []


class HoursIn(Body):
    """Opening hours: spans such as ``09:00-12:30`` by week day and, instead, by date; else closed."""

    name: Word = ""
    time_zone: Annotated[str, Field(max_length=64)]
    weekly: dict[Day, Spans] = {}
    holidays: Annotated[dict[str, HolidayIn], Field(max_length=1000)] = {}

    @model_validator(mode="after")
    def makes_sense(self) -> HoursIn:
        dates = {date: holiday.spans for date, holiday in self.holidays.items()}
        calendar(self.time_zone, {str(day): spans for day, spans in self.weekly.items()}, dates)
        return self


class HoursOut(HoursIn):
    id: str


class EntryPointOut(BaseModel):
    """A public door as it stands."""

    id: str
    site_key: str
    queue: str
    name: str
    allowed_origins: list[str]
    languages: list[str]
    declared_attributes: list[str]
    priority: int
    reconnect_grace_s: float
    hours: str
    when_closed: str
    closed_queue: str
    last_agent_days: int
    last_agent_wait_s: int


class AttachmentOut(BaseModel):
    """A stored file: give ``attachment`` in a message of kind ``kind``."""

    attachment: str
    kind: MessageKind
    bytes: int
