"""Explanations, replays and trials over HTTP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from switchlog.auth.principal import Principal
from switchlog.web import Body, cause_of, require

from ..app import why_shown
from ..app.handlers import pool_stream
from ..app.jobs import Job, Jobs
from ..app.sight import check_agent, seen_by
from ..app.why import Why
from .schemas import Id

Anybody = Annotated[Principal, Depends(require("agent", "supervisor", "admin", "analyst", "service"))]
Floor = Annotated[Principal, Depends(require("supervisor", "admin", "analyst", "service"))]
Lang = Annotated[Literal["zh", "en"], Query()]
Last = Annotated[int, Query(ge=1, le=100)]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
File = Annotated[str, Field(max_length=500_000)]


class ReplayIn(Body):
    """The local day to decide again."""

    date: Date


class WhatIfIn(Body):
    """The day, and what is to be different: ``roster`` is a CSV's text, ``config`` a YAML's."""

    date: Date
    policy: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,50}@[0-9]{1,6})?$")] = ""
    roster: File = ""
    config: File = ""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 10
    threshold_s: Annotated[int, Field(ge=1, le=86_400)] = 20


Law = Annotated[str, Field(max_length=64)]


class SimulationIn(Body):
    """A day on paper: ``roster``, ``arrivals`` (CSV) and ``config`` (YAML) are texts of files; the rest is as in
    `python -m routing simulate --help`: ``poisson`` and its laws stand in place of ``arrivals``."""

    roster: Annotated[str, Field(min_length=1, max_length=500_000)]
    arrivals: File = ""
    config: File = ""
    poisson: Law = ""
    service: Law = ""
    patience: Law = ""
    wrap_up: Law = ""
    hours: Annotated[float, Field(ge=0, le=31 * 24)] = 0
    queue: Law = ""
    pool: Law = ""
    policy: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,50}@[0-9]{1,6})?$")] = ""
    until: Law = ""
    seed: Annotated[int, Field(ge=0, le=2**53)] = 0
    step: Literal["15m", "30m", "1h", "1d"] = "30m"
    tz: Law = "UTC"
    threshold: Annotated[int, Field(ge=1, le=86_400)] = 20


class JobOut(BaseModel):
    """``done`` of ``of`` is how far it is; ``result`` when ``state`` is done, with the command's ``exit_code``."""

    job: str
    kind: str
    pool: str
    state: Literal["running", "done", "failed", "lost"]
    done: int
    of: int
    exit_code: int
    result: dict[str, Any] | None
    error: str

    @classmethod
    def of_job(cls, job: Job) -> JobOut:
        return cls.model_validate({name: getattr(job, name) for name in cls.model_fields})


def routes(why: Why, jobs: Jobs, zone: ZoneInfo) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["why"])

    @router.get("/contacts/{id}/why")
    async def contact(id: Id, caller: Anybody, lang: Lang = "en") -> dict[str, Any]:
        """Every decision about a contact, executed again from the log."""
        found = seen_by(caller, await why.contact(id, caller.tenant))
        return why_shown.decisions(found, lang, zone)

    @router.get("/agents/{id}/why")
    async def agent(id: Id, caller: Anybody, lang: Lang = "en", last: Last = 10) -> dict[str, Any]:
        """The last decisions that name an agent."""
        found = await why.agent(id, last, caller.tenant)
        check_agent(caller, id, found)
        return why_shown.decisions(found, lang, zone)

    @router.get("/queues/{id}/why")
    async def queue(
        id: Id, caller: Floor, at: Annotated[AwareDatetime, Query()], lang: Lang = "en", last: Last = 3
    ) -> dict[str, Any]:
        """Who waited in a queue at an instant, why for nobody there was an agent, and the last offers before."""
        return why_shown.queue(await why.queue(id, _ms(at), last, caller.tenant), lang, zone)

    @router.post("/pools/{id}/replays", status_code=202)
    async def replay(id: Id, body: ReplayIn, request: Request, caller: Floor) -> JobOut:
        """Start deciding a whole local day again."""
        await why.history.day(pool_stream(caller.tenant, id), body.date)
        cause = cause_of(request, caller, body)
        job = Job(cause.command_id, "replay", id, digest=cause.digest)
        arguments = ["replay", id, body.date, "--tenant", caller.tenant]
        return JobOut.of_job(await jobs.start(caller.tenant, job, arguments, lambda: None))

    @router.post("/pools/{id}/what-ifs", status_code=202)
    async def what_if(id: Id, body: WhatIfIn, request: Request, caller: Floor) -> JobOut:
        """Start a recorded day under other rules."""
        await why.history.day(pool_stream(caller.tenant, id), body.date)
        cause = cause_of(request, caller, body)
        job = Job(cause.command_id, "what-if", id, digest=cause.digest)
        folder = tempfile.TemporaryDirectory(prefix="what-if-")
        arguments = ["what-if", id, body.date, "--tenant", caller.tenant, *_asked(body, Path(folder.name))]
        return JobOut.of_job(await jobs.start(caller.tenant, job, arguments, folder.cleanup))

    @router.post("/simulations", status_code=202)
    async def simulate(body: SimulationIn, request: Request, caller: Floor) -> JobOut:
        """Start a day on paper."""
        cause = cause_of(request, caller, body)
        job = Job(cause.command_id, "simulation", body.pool, digest=cause.digest)
        folder = tempfile.TemporaryDirectory(prefix="simulation-")
        arguments = ["simulate", "--out", f"{folder.name}/out", *_simulated(body, Path(folder.name))]
        return JobOut.of_job(await jobs.start(caller.tenant, job, arguments, folder.cleanup))

    @router.get("/jobs/{id}")
    async def job(id: Id, caller: Floor) -> JobOut:
        """How far it is, or what it found."""
        return JobOut.of_job(await jobs.get(caller.tenant, id))

    return router


def _asked(body: WhatIfIn, folder: Path) -> list[str]:
    asked = ["--seeds", str(body.seeds), "--threshold", str(body.threshold_s)]
    asked += ["--policy", body.policy] if body.policy else []
    return asked + _files(body, folder, ("roster", "config"))


def _simulated(body: SimulationIn, folder: Path) -> list[str]:
    files = ("roster", "arrivals", "config")
    given = body.model_dump(exclude_defaults=True, exclude=set(files))
    # in one word: a value that looks like an option must not become one
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    return options + _files(body, folder, files)


def _files(body: WhatIfIn | SimulationIn, folder: Path, names: Iterable[str]) -> list[str]:
    """The texts as files, and how the command is told of them."""
    asked: list[str] = []
    for name in names:
        if text := getattr(body, name):
            file = folder / f"{name}.{'yaml' if name == 'config' else 'csv'}"
            file.write_text(text, encoding="utf-8")
            asked += [f"--{name}", str(file)]
    return asked


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
