"""What a person sees of the running demo: a live page in a terminal, plain lines elsewhere."""

import asyncio
import os
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
from rich import box
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from switchlog_local.demo.observer import Counts, percentiles
from switchlog_local.demo.plan import Options, url
from switchlog_local.demo.seed import QUEUES
from switchlog_local.demo.supervisor import Supervisor

PLAIN_EVERY_S = 5.0


@dataclass
class Picture:
    """Everything that is shown."""

    options: Options
    supervisor: Supervisor
    counts: Counts
    seen_ms: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unmatched: list[tuple[str, int]] = field(default_factory=list)
    did: dict[str, int] = field(default_factory=dict)
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=6))
    began: float = field(default_factory=time.monotonic)

    def saw_offers(self, arrived: list[tuple[str, int]]) -> None:
        """Offers that reached an agent's screen; matched as soon as the topics have told of the contact."""
        waiting, self.unmatched = self.unmatched + arrived, []
        for offer, at_ms in waiting[-1000:]:
            after = self.counts.seen_after_ms(offer, at_ms)
            if after is None:
                self.unmatched.append((offer, at_ms))
            else:
                self.seen_ms.append(after)

    def page(self) -> Group:
        columns = Columns([self._queues(), self._flow()], expand=True)
        notes = Panel(Text("\n".join(self.lines) or "all well"), title="notes", border_style="dim")
        return Group(self._head(), columns, self._processes(), self._addresses(), notes)

    def line(self) -> str:
        """The same as one line, for logs and pipes."""
        facts, waits = self.counts.facts, percentiles(self.counts.queued_to_offered_ms)
        levels = " ".join(f"{name}:{_level(row)}" for name, row in self.queues.items())
        restarts = sum(self.supervisor.deaths.values())
        return (
            f"{self.seconds:6.0f} s  started {facts['contact_started']}  offered {facts['contact_offered']}  "
            f"answered {self.counts.outcomes['answered']}  ended {facts['contact_ended']}  "
            f"queued→offered p50 / p99 {_pair(waits)}  level {levels or '-'}  restarts {restarts}"
        )

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.began

    def _head(self) -> Text:
        text = f" Switchlog  {self.options.store}  {self.options.rate:g} contacts/min  {self.options.agents} agents  "
        return Text(f"{text}{self.seconds:.0f} s  Ctrl-C stops", style="bold reverse")

    def _queues(self) -> Table:
        table = _table("queues 队列", "queue", "waiting", "longest", "answered", "abandoned", "level")
        for name, row in self.queues.items():
            counts = row.get("today", {}).get("counts", {})
            shown = (row.get("waiting", 0), f"{row.get('longest_wait_s') or 0:.0f} s", counts.get("answered", 0))
            table.add_row(name, *map(str, shown), str(counts.get("abandoned", 0)), _level(row))
        return table

    def _flow(self) -> Table:
        facts, table = self.counts.facts, _table("flow 流量", "", "since the start")
        waits, seen = percentiles(self.counts.queued_to_offered_ms), percentiles(self.seen_ms)
        for name, value in (
            ("contacts started / ended", f"{facts['contact_started']} / {facts['contact_ended']}"),
            ("offers / accepted / expired", " / ".join(str(facts[f]) for f in OFFERS)),
            ("messages in / out", f"{facts['message_received']} / {facts['message_sent']}"),
            ("queued → offered p50 / p99", _pair(waits)),
            ("queued → agent's screen", _pair(seen)),
        ):
            table.add_row(name, value)
        return table

    def _processes(self) -> Table:
        table = _table("processes 进程", "process", "pid", "memory", "CPU", "restarts")
        for name, one in self.supervisor.running.items():
            one.measure()
            style = "red" if one.process.returncode is not None else ""
            figures = (one.process.pid, f"{one.last_rss_mb:.0f} MB", f"{one.last_cpu_s:.1f} s", one.restarts)
            table.add_row(name, *map(str, figures), style=style)
        return table

    def _addresses(self) -> Text:
        return Text.from_markup(
            f"try: {url('ingress_chat')}/docs  {url('routing')}/docs  {url('agent_state')}/docs  "
            f"{url('analytics')}/v1/queues/sales/now   tokens: {_near(self.options.folder / 'tokens.json')}",
            style="dim",
        )


OFFERS = ("contact_offered", "offer_accepted", "offer_expired")


# Rich's own frame without the fonts that it would fetch from elsewhere
_OFFLINE_SVG = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def draw(picture: Picture, path: Path) -> None:
    """The page as an SVG."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=124, file=nowhere, force_terminal=True)
        console.print(picture.page())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(console.export_svg(title="make demo", code_format=_OFFLINE_SVG))


def _table(title: str, first: str, *numbers: str) -> Table:
    """Words on the left, figures on the right."""
    table = Table(first, title=title, title_justify="left", box=box.SIMPLE_HEAD, expand=True)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


async def ask_queues(picture: Picture, token: str) -> None:
    """Keep the wallboard's rows fresh, once a second, from the public API."""
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=3) as client:
        while True:
            for queue in QUEUES:
                row = await _now(client, queue)
                if row is not None:
                    picture.queues[queue] = row
            await asyncio.sleep(1)


async def show(picture: Picture, console: Console) -> None:
    """Until cancelled."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(PLAIN_EVERY_S)
            for one in picture.supervisor.running.values():
                one.measure()
            print(picture.line(), flush=True)
    with Live(picture.page(), console=console, auto_refresh=False, screen=True) as live:
        while True:
            await asyncio.sleep(0.5)
            live.update(picture.page(), refresh=True)


async def _now(client: httpx.AsyncClient, queue: str) -> dict[str, Any] | None:
    try:
        answer = await client.get(f"{url('analytics')}/v1/queues/{queue}/now")
        return dict(answer.json()) if answer.is_success else None
    except (httpx.HTTPError, ValueError):
        return None


def _pair(found: Mapping[str, int | None]) -> str:
    return "-" if found["p50"] is None else f"{found['p50']} / {found['p99']} ms"


def _near(path: Path) -> Path:
    """As one would type it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _level(row: Mapping[str, Any]) -> str:
    level = row.get("today", {}).get("figures", {}).get("sl_strict")
    return "-" if level is None else f"{100 * level:.0f} %"
