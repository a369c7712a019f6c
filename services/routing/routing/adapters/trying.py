"""Other rules for a recorded day, as they are asked for: a policy by name, a roster as CSV, a configuration as YAML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from ..app.paper.world import presence
from ..app.what_if.compared import Trial
from ..app.what_if.enacted import SAME, Rules
from ..domain.commands import ChoosePolicy, DefineHours, DefineQueue, DefineWorkflow, Input, Order, RemoveQueue
from ..domain.events import AgentObserved, TimerElapsed
from ..domain.observed import AgentFact, WorkEnded, WrapUpEnded, WrapUpStarted
from ..domain.policies import POLICIES
from .config_files import read_config
from .paper_files import BadFile, Times, read_roster
from .yaml_marks import Mistakes

DEFINING = (DefineQueue, DefineHours, DefineWorkflow, ChoosePolicy, RemoveQueue)
MAX_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """As on the command line."""

    policy: str = ""
    roster: Path | None = None
    config: Path | None = None
    seeds: int = 10
    threshold_s: int = 20

    @property
    def same(self) -> bool:
        return not (self.policy or self.roster or self.config)

    def __str__(self) -> str:
        files = (f"{name} {path.name}" for name, path in (("roster", self.roster), ("config", self.config)) if path)
        return ", ".join([*([f"policy {self.policy}"] if self.policy else []), *files]) or "the same rules"


def trial(asked: Asked, pool: str, date: str, zone: ZoneInfo) -> Trial:
    """Everything read and checked before anything runs. Raises ``ValueError`` with a line a mistake, or ``OSError``."""
    if not 1 <= asked.seeds <= MAX_SEEDS:
        raise ValueError(f"--seeds is from 1 to {MAX_SEEDS}")
    if asked.same:
        return Trial(SAME, 1, asked.threshold_s)
    orders = [*_configured(asked, pool), *_policy(asked.policy)]
    cues = _roster(asked.roster, pool, date, zone) if asked.roster else None
    calendars = zone if asked.config else None
    return Trial(Rules(orders, _dropped(asked), cues, calendars), asked.seeds, asked.threshold_s)


def _policy(name: str) -> list[Order]:
    if name and name not in POLICIES:
        raise ValueError(f"--policy {name}: one of {', '.join(sorted(POLICIES))}")
    return [ChoosePolicy(name, "what-if-policy")] if name else []


def _configured(asked: Asked, pool: str) -> list[Order]:
    if asked.config is None:
        return []
    try:
        orders = read_config(asked.config).orders
    except Mistakes as error:
        lines = (f"{asked.config}:{one.line}:{one.column}: {one.where}: {one.said}" for one in error.found)
        raise ValueError("\n".join(lines)) from None
    if pool not in orders:
        raise ValueError(f"{asked.config} has nothing for the pool {pool}")
    return list(orders[pool])


def _roster(path: Path, pool: str, date: str, zone: ZoneInfo) -> list[tuple[int, AgentFact]]:
    """Seconds in place of instants count from the local midnight at which the day begins."""
    times = Times()
    try:
        shifts = read_roster(path, times)
    except BadFile as error:
        raise ValueError(str(error)) from None
    midnight = datetime.combine(datetime.fromisoformat(date), time(), zone)
    shift_ms = 0 if times.absolute else round(midnight.timestamp() * 1000)
    told = [(at + shift_ms, fact) for at, fact in presence(shifts, pool)]
    return [(at, fact) for at, fact in told if isinstance(fact, AgentFact)]


def _dropped(asked: Asked) -> _Drops:
    return _Drops(bool(asked.config), bool(asked.policy), bool(asked.roster))


@dataclass(frozen=True, slots=True)
class _Drops:
    """Which recorded inputs other rules take the place of."""

    definitions: bool
    policy: bool
    agents: bool

    def __call__(self, item: Input) -> bool:
        if isinstance(item, AgentObserved):  # what was in hand when the day began ends as it ended
            return self.agents and not isinstance(item.fact, WorkEnded | WrapUpStarted | WrapUpEnded)
        if self.policy and isinstance(item, ChoosePolicy):
            return not item.queue or self.definitions
        if isinstance(item, TimerElapsed):  # what calendars and arrivals bring about: looked at anew
            return self.definitions
        return self.definitions and isinstance(item, DEFINING)
