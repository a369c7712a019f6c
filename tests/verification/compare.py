"""Cell by cell: what live says beside what batch says, and where they part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .live import Answer, milliseconds
from .oracle.recompute import FLAGS, Asked, Batch, Key

COUNTS = (
    "offered", "answered", "answered_in_threshold", "abandoned", "abandoned_in_threshold", "short_abandoned",
    "flowed_out", "callback", "timed_out", "blocked", "failed", "waiting", "transferred",
)  # fmt: skip
SUMS = tuple(
    f"{name}_ms"
    for name in ("wait_answered", "wait_abandoned", "talk", "hold", "wrap_up", "trunk", "busy", "ready", "signed_in")
)
NUMBERS = frozenset({*COUNTS, *SUMS, "contacts_received", "queue_depth"})
"""What is 0 where nothing counts."""
PERCENTILES = tuple(f"{what}_p{percent}" for what in ("wait", "first_response") for percent in (50, 90, 99))
SINCE = {"longest_wait": "longest_since", "longest_wait_arrival": "longest_arrival_since"}
"""What grows while one looks: batch knows since when, live says when it looked."""


NEVER_QUEUED = ""
AS_OF = "as of an instant"
"""The family of all cells that are asked for as of one."""


@dataclass(frozen=True)
class Difference:
    """One cell: where it is, what live and batch say, and some of the contacts that batch counted."""

    asked: Asked
    key: Key
    name: str
    live: Any
    batch: Any
    contacts: tuple[str, ...] = ()

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.key[0] / 1000, UTC).isoformat(timespec="minutes")
        group = " ".join(f"{name}={value}" for name, value in zip(self.asked.group_by, self.key[1:], strict=True))
        where = (
            f"{self.asked.tenant} {group} {self.asked.step} {self.asked.attribution} T={self.asked.threshold_s} {at}"
        )
        if self.asked.as_of is not None:
            where += f" as of {datetime.fromtimestamp(self.asked.as_of / 1000, UTC).isoformat()}"
        told = f": {', '.join(self.contacts)}" if self.contacts else ""
        return f"{where} {self.name}: live {self.live}, batch {self.batch}{told}"


@dataclass
class Report:
    """How many cells were compared, which differ, and what live does not answer: by name, and by question."""

    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    unanswered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    by_family: Counter[str] = field(default_factory=Counter)

    def take(self, asked: Asked, live: Answer, batch: Batch) -> None:
        """Compare every cell of one table."""
        expected = {key: _at(live.as_of, row) for key, row in batch.figures(asked).items()}
        if NEVER_QUEUED in _queues(asked, expected) - _queues(asked, live.rows):
            expected = {key: row for key, row in expected.items() if _queue(asked, key) != NEVER_QUEUED}
            self.refused[f"{','.join(asked.group_by)}: rows of contacts that were never queued (queue '')"] += 1
        names = _names(live)
        for key in sorted({*live.rows, *expected}, key=str):
            told, meant = live.rows.get(key), expected.get(key, {})
            if told is None and not any(meant.get(name) for name in names if name not in FLAGS):
                continue  # nothing happened: there need not be a row
            # a row that only one side has shows by its counts: what is not there has no flags
            self._row(
                asked, key, told or {}, meant, [one for one in names if (told and meant) or one not in FLAGS], batch
            )

    def _row(
        self, asked: Asked, key: Key, told: dict[str, Any], meant: dict[str, Any], names: list[str], batch: Batch
    ) -> None:
        for name in names:
            if name not in told and not told:
                found = 0 if name in NUMBERS else None
            else:
                found = told.get(name)
            wanted = meant.get(name, 0 if name in NUMBERS else None)
            self.compared += 1
            self.by_family[family(name) if asked.as_of is None else AS_OF] += 1
            if not same(name, found, wanted):
                contacts = tuple(batch.contacts(asked, key, name)) if len(self.differences) < 50 else ()
                self.differences.append(Difference(asked, key, name, found, wanted, contacts))

    def look(
        self,
        tenant: str,
        told: dict[str, Any],
        line: tuple[int, int | None],
        today: dict[str, Any],
        as_of: int | None = None,
    ) -> None:
        """The wallboard's row: who waits, how long, and the local day's counts so far."""
        asked, at = Asked(tenant, ("queue",), "now", "cohort", 0, as_of), milliseconds(told["at"])
        waiting, since = line
        meant = {"waiting": waiting, "longest_wait_s": 0 if since is None else max(0, at - since) / 1000}
        meant |= {f"today's {name}": today.get(name, 0) for name in COUNTS if not name.endswith("_in_threshold")}
        found = told | {f"today's {name}": value for name, value in told["today"]["counts"].items()}
        for name, wanted in meant.items():
            self.compared += 1
            self.by_family["cells of now" if as_of is None else AS_OF] += 1
            if found[name] != wanted:
                self.differences.append(Difference(asked, (at, told["queue"]), f"now {name}", found[name], wanted))

    def skip(self, live: Answer, known: Iterable[str]) -> None:
        """Note names that live leaves open in every row, or that batch has no definition of."""
        for name in {name for row in live.rows.values() for name in row}:
            if all(row.get(name) is None for row in live.rows.values()):
                self.unanswered[name] += 1
            elif name not in known:
                self.unanswered[f"{name} (no definition in SQL)"] += 1


def _names(live: Answer) -> list[str]:
    """The names that live answers somewhere and batch defines."""
    return sorted({name for row in live.rows.values() for name, value in row.items() if value is not None} & DEFINED)


def _at(as_of: int, row: dict[str, Any]) -> dict[str, Any]:
    ages = {name: as_of - row[since] for name, since in SINCE.items() if row.get(since) is not None}
    return row | {name: max(0, age) / 1000 for name, age in ages.items()}


def _queues(asked: Asked, rows: Iterable[Key]) -> set[Any]:
    return {_queue(asked, key) for key in rows}


def _queue(asked: Asked, key: Key) -> Any:
    return key[1 + asked.group_by.index("queue")] if "queue" in asked.group_by else None


FIGURES = frozenset(
    {
        *(
            "sl_answered",
            "sl_strict",
            "sl_ignore_early",
            "sl_positive",
            "sl_short_credit",
            "sl_excl_short",
            "sl_connect",
        ),
        *("sl_offered", "asa", "asa_accept", "abandon_rate_queued", "avg_abandon_time", "answer_rate", "non_response"),
        *("att", "att_incl_hold", "acw", "aht", "atht", "transfer_rate", "complaint_rate", "csat", "occupancy"),
        *("utilization", "abandon_rate_connected", "blocked_rate", "self_service_rate", "ivr_containment"),
        *("contacts_received", "contacts_per_agent_hour", "first_response", "next_response", "resolution_time"),
        *("ewt_p50", "ewt_p90", "ewt_p50_hit", "ewt_p90_hit", "fcr_open", "fcr_final", "slot_occupancy"),
        *("chat_concurrency", "queue_depth", "adherence", "attendance", "cost_per_contact", *SINCE),
    }
)
LIVE_FIGURES = frozenset(f"{name}.live" for name in FIGURES if name.startswith("sl_"))
DEFINED = frozenset({*COUNTS, *FLAGS, *SUMS, *PERCENTILES, *FIGURES, *LIVE_FIGURES})
"""Everything that the SQL has a definition of; a new one enters here."""


def family(name: str) -> str:
    if name in COUNTS or name in FLAGS:
        return "counts" if name in COUNTS else "flags"
    return "sums" if name in SUMS else "percentiles" if name in PERCENTILES else "figures"


def same(name: str, live: Any, batch: Any) -> bool:
    """Counts and sums to the last digit, ratios to what a double holds, percentiles within 1 %."""
    if live is None or batch is None:
        return live is batch
    if name in PERCENTILES:
        return abs(live - batch) <= 0.01 * batch + 0.0005
    if isinstance(batch, float):
        return abs(live - batch) <= 1e-9 * max(1.0, abs(batch))
    return bool(live == batch)
