"""Looks at every figure that a rule watches, again and again, and has alerts raised and cleared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from switchlog.clock import Clock
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound, NotNow, Rejected, VersionConflict
from switchlog.folds import Folded
from switchlog.ids import new_id
from switchlog.log import get_logger
from switchlog.writer import Answer

from ..domain.alerting import DAY, WINDOWS_MS, AlertCommand, Clear, Raise, Rule, Seen, Subject, Watch, look
from ..domain.figures import Row
from ..domain.levels import QUARTER_MS, quarter
from .questions import FiguresAsked, Questions

log = get_logger(__name__)

OF_WAITING = frozenset({"queue_depth", "longest_wait", "longest_wait_arrival"})
"""Figures of who waits now, whenever they were queued."""


class Log(Protocol):
    """The one writer of alerts in this process."""

    async def execute(
        self, stream: StreamId, command: AlertCommand, cause: Cause, *, expect: int | None = None
    ) -> Answer: ...

    async def state(self, stream: StreamId, *, fresh: bool = False) -> Folded[Watch]: ...


@dataclass
class Watching:
    """``look`` every few seconds, in one process at a time; were it two, the streams would still tell things once.

    ``since`` is kept in memory: after a restart what is out of range has to be so for its time anew.
    """

    log: Log
    rules: Callable[[], Awaitable[list[StreamId]]]
    questions: Questions
    clock: Clock
    since: dict[tuple[StreamId, Subject], int] = field(default_factory=dict)

    async def look(self) -> None:
        """Once at everything; a rule that cannot be looked at now does not keep the others waiting."""
        streams = await self.rules()
        for stream in streams:
            try:
                await self._rule(stream)
            except (NotNow, NotFound, Rejected, VersionConflict) as error:
                log.info("rule_not_looked_at", rule=stream.name, error=type(error).__name__, reason=str(error))
        known = set(streams)
        self.since = {at: since for at, since in self.since.items() if at[0] in known}

    async def _rule(self, stream: StreamId) -> None:
        watch = (await self.log.state(stream, fresh=True)).state
        if watch.rule is None:
            return
        seen = {subject: one async for subject, one in self._seen(stream.tenant, watch.rule)}
        for subject in sorted({*seen, *watch.standing}):
            await self._subject(stream, watch, watch.rule, subject, seen.get(subject))

    async def _subject(self, stream: StreamId, watch: Watch, rule: Rule, subject: Subject, seen: Seen | None) -> None:
        raised, at = watch.standing.get(subject), (stream, subject)
        since, changes = look(rule, raised is not None, seen, self.since.pop(at, None), self.clock.now())
        if changes:
            value = seen.value if seen else None
            command = Clear(raised.alert, subject, value) if raised else Raise(watch.version, subject, _given(seen))
            await self.log.execute(stream, command, Cause(new_id(), "", "analytics"))
        elif since is not None:
            self.since[at] = since

    async def _seen(self, tenant: str, rule: Rule) -> AsyncIterator[tuple[Subject, Seen]]:
        if rule.limit is not None:
            async for found in self._against(tenant, rule, rule.queues, rule.threshold_s, rule.limit):
                yield found
            return
        for target, queues in await self.questions.targets(tenant, rule.queues):
            async for found in self._against(tenant, rule, queues, target.threshold_s, target.share):
                yield found

    async def _against(
        self, tenant: str, rule: Rule, queues: tuple[str, ...], threshold_s: int, limit: float
    ) -> AsyncIterator[tuple[Subject, Seen]]:
        asked = FiguresAsked(
            queues=queues,
            channels=rule.channels,
            agents=rule.agents,
            teams=rule.teams,
            attribution=rule.attribution,
            threshold_s=threshold_s,
            formulas=(rule.figure,),
            group_by=(rule.per or "tenant",),
        )
        begin, end = await self._window(tenant, rule, queues)
        for row in await self.questions.over(tenant, asked, begin, end):
            yield Subject(**row.groups), Seen(row.figures[rule.figure], limit, _contacts(row), begin, end)

    async def _window(self, tenant: str, rule: Rule, queues: Iterable[str]) -> tuple[int, int]:
        end = quarter(self.clock.now()) + QUARTER_MS
        if rule.window == DAY:
            return await self.questions.day_begin(tenant), end
        begin = end - WINDOWS_MS[rule.window]
        return min(
            begin, await self.questions.waiting_since(tenant, queues)
        ) if rule.figure in OF_WAITING else begin, end


def _given(seen: Seen | None) -> Seen:
    assert seen is not None, "nothing is raised about what was not seen"
    return seen


def _contacts(row: Row) -> int:
    """Offered to queues; of agents and teams, those that they answered or were offered."""
    return max(row.level.offered, row.level.answered, row.tally.offers.get("made", 0))
