"""``python -m analytics feed``: a file goes in part by part, each durable when it is answered, and goes on where it
broke off. Repeats do no harm, so what is not known to have arrived is sent again.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

import httpx2
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..app.feedlines import Refused, seconds_of
from ..domain.feed import line_hash
from .fed_files import FedFile, Item, chunks
from .mapping import BadMapping, load

PART = 4_000
"""So many lines of a file go in one request."""

PATIENCE_S = 120.0
DONE, AWAY, WRONG, STOPPED = 0, 1, 2, 130


class Stopped(Exception):
    """Nothing more can be sent; ``code`` is the exit status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Done(msgspec.Struct):
    """What is known to have arrived: lines (or rows) of the file up to ``line``, and what became of them.

    ``examples`` are the first of every reason.
    """

    identity: str = ""
    line: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: dict[str, int] = {}
    examples: dict[str, str] = {}
    dirt: dict[str, int] = {}
    sources: list[str] = []
    rejected_bytes: int = 0


@dataclass(frozen=True)
class Target:
    """Where lines go, and on which terms; ``given_up`` ends the patience with a service that is away."""

    url: str
    token: str
    lateness_s: float
    any_order: bool
    given_up: Event = field(default_factory=Event)

    def send(self, client: httpx2.Client, body: bytes, **more: Any) -> dict[str, Any]:
        """The answer; tries again while the service is away, raises ``Stopped`` when it stays so or refuses."""
        params = {"lateness": self.lateness_s, "any_order": self.any_order} | more
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/x-ndjson"}
        until, pause = time.monotonic() + PATIENCE_S, 0.25
        while True:
            try:
                answer = client.post(f"{self.url}/v1/feed", content=body, params=params, headers=headers)
                if answer.status_code == 200:
                    found: dict[str, Any] = answer.json()
                    return found
                if answer.status_code not in (429, 500, 502, 503, 504):
                    raise Stopped(WRONG, _refusal(answer))
                said = _refusal(answer)
            except httpx2.TransportError as error:
                said = f"{self.url} does not answer ({type(error).__name__})"
            if time.monotonic() > until:
                raise Stopped(AWAY, said)
            if self.given_up.wait(pause):
                raise Stopped(STOPPED, "given up")
            pause = min(5.0, pause * 2)


def _refusal(answer: httpx2.Response) -> str:
    try:
        problem = answer.json()
        return f"{problem.get('reason', answer.status_code)}: {problem.get('detail', '')}"
    except ValueError:
        return f"status {answer.status_code}"


@dataclass
class Feeder:
    """One file on its way. ``target`` None: a dry run, everything but sending."""

    file: FedFile
    target: Target | None
    bar: Progress | None = None
    done: Done = field(default_factory=Done)
    seen: set[int] = field(default_factory=set)

    @property
    def rejected_path(self) -> Path:
        return self.file.path.with_name(self.file.path.name + ".rejected.jsonl")

    @property
    def progress_path(self) -> Path:
        return self.file.path.with_name(self.file.path.name + ".feed.json")

    def run(self) -> Done:
        """Send the file; raises ``Stopped``, after which the same call goes on."""
        self._recall()
        started_at = self.done.line
        with self._rejects() as rejects, httpx2.Client(timeout=120, trust_env=False) as client:
            with ThreadPoolExecutor(1) as pool, self._patience():
                waiting: tuple[list[Item], Future[dict[str, Any]]] | None = None
                fresh = (item for item in self.file.items() if item.number > started_at)
                for part in chunks(fresh, PART):
                    sent = part, pool.submit(self._send, client, part)
                    if waiting:
                        self._arrived(*waiting, rejects)
                    waiting = sent
                    self._show()
                if waiting:
                    self._arrived(*waiting, rejects)
                self._end(client)
        if not self.done.rejected:
            self.rejected_path.unlink(missing_ok=True)
        self.progress_path.unlink(missing_ok=True)
        return self.done

    def _send(self, client: httpx2.Client, part: list[Item]) -> dict[str, Any]:
        body = b"\n".join(text for item in part for text in item.bodies)
        if self.target is None:
            return self._tried(part)
        if not body:
            return {"accepted": 0, "duplicates": 0, "rejected": 0, "reasons": {}, "rejections": []}
        return self.target.send(client, body, more=True)

    def _tried(self, part: list[Item]) -> dict[str, Any]:
        """What a dry run can know: repeats within the file."""
        found = {"accepted": 0, "duplicates": 0, "rejected": 0, "reasons": {}, "rejections": []}
        for item in part:
            for name in item.ids:
                mark = line_hash(name)
                found["duplicates" if mark in self.seen else "accepted"] += 1  # type: ignore[operator]
                self.seen.add(mark)
        return found

    def _end(self, client: httpx2.Client) -> None:
        if self.target is not None and self.done.sources:
            self.target.send(client, b"", ends=",".join(self.done.sources))

    # --- what became of a part ----------------------------------------------------------------------------------------

    def _arrived(self, part: list[Item], answer: Future[dict[str, Any]], rejects: BinaryIO) -> None:
        told, done = answer.result(), self.done
        done.accepted += told["accepted"]
        done.duplicates += told["duplicates"]
        reasons = Counter(done.reasons)
        for item in part:
            for why, text in item.bad:
                reasons[why.reason] += 1
                self._reject(rejects, item.number, why, text)
        sent = [(item.number, text) for item in part for text in item.bodies]
        for one in told["rejections"]:
            number, text = sent[one["line"] - 1]
            self._reject(rejects, number, Refused(one["reason"], one["detail"]), text.decode("utf-8", "replace"))
        reasons.update(told["reasons"])
        done.rejected += told["rejected"] + sum(len(item.bad) for item in part)
        done.reasons, done.dirt = dict(reasons), dict(self.file.dirt)
        done.sources = sorted({*done.sources, *(source for item in part for source in item.sources)})
        done.line, done.rejected_bytes = part[-1].number, rejects.tell()
        self._remember(rejects)

    def _reject(self, rejects: BinaryIO, number: int, why: Refused, text: str) -> None:
        told = {"line": number, "reason": why.reason, "detail": why.detail, "text": text}
        rejects.write(msgspec.json.encode(told) + b"\n")
        self.done.examples.setdefault(why.reason, f"line {number}: {why.detail}")

    def _remember(self, rejects: BinaryIO) -> None:
        """Where to go on; the rejected lines are there before it says so."""
        if self.target is None:
            return
        rejects.flush()
        beside = self.progress_path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(self.done))
        beside.replace(self.progress_path)

    def _recall(self) -> None:
        terms = (self.target.url, self.target.lateness_s, self.target.any_order) if self.target else ()
        identity = self.file.identity(terms, self.file.mapping)
        try:
            found = msgspec.json.decode(self.progress_path.read_bytes(), type=Done)
        except (OSError, msgspec.DecodeError):
            found = Done()
        self.done = found if found.identity == identity and self.target else Done(identity)

    @contextmanager
    def _rejects(self) -> Iterator[BinaryIO]:
        """The file of rejected lines, cut back to what belongs to the lines known to have arrived."""
        self.rejected_path.touch()
        with self.rejected_path.open("r+b") as found:
            found.truncate(self.done.rejected_bytes)
            found.seek(0, 2)
            yield found

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Whoever stops us does not wait until the service is back."""
        try:
            yield
        except BaseException:
            if self.target is not None:
                self.target.given_up.set()
            raise

    def _show(self) -> None:
        if self.bar is not None:
            text = f"{self.done.accepted} accepted, {self.done.duplicates} repeats, {self.done.rejected} rejected"
            self.bar.update(self.bar.task_ids[0], completed=self.file.position, description=text)


def command(
    path: Path, mapping: Path | None, dry_run: bool, lateness: str, any_order: bool, url: str, token: str, as_json: bool
) -> int:
    """The exit status."""
    try:
        seconds, table = seconds_of(lateness), load(mapping) if mapping else None
        path.open("rb").close()
    except (BadMapping, ValueError) as error:
        return _wrong(str(error))
    except OSError as error:
        return _wrong(f"{path}: {error.strerror}")
    target = None if dry_run else Target(url, token, seconds, any_order)
    return feed(FedFile(path, table), target, as_json)


def _wrong(text: str) -> int:
    sys.stderr.write(f"analytics feed: {text}\n")
    return WRONG


def feed(file: FedFile, target: Target | None, as_json: bool = False) -> int:
    """Feed the file and print what became of it; the exit status."""
    began, console = time.monotonic(), Console(stderr=True)
    try:
        with _bar(console, file) as bar:
            feeder = Feeder(file, target, bar)
            done = feeder.run()
    except KeyboardInterrupt:
        sys.stderr.write("analytics feed: stopped; the same command goes on where it broke off\n")
        return STOPPED
    except Stopped as stopped:
        sys.stderr.write(f"analytics feed: {stopped}; the same command goes on where it broke off\n")
        return stopped.code
    except OSError as error:  # the files beside it cannot be written, or the disk is full
        return _wrong(f"{error.filename or file.path}: {error.strerror}")
    sys.stdout.write(_summary(done, feeder, time.monotonic() - began, as_json))
    return DONE


@contextmanager
def _bar(console: Console, file: FedFile) -> Iterator[Progress | None]:
    """On a terminal only."""
    if not console.is_terminal:
        yield None
        return
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task(file.path.name, total=file.size)
        yield bar


def _summary(done: Done, feeder: Feeder, seconds: float, as_json: bool) -> str:
    told: dict[str, Any] = {"accepted": done.accepted, "duplicates": done.duplicates, "rejected": done.rejected}
    told |= {"reasons": done.reasons, "dirt": done.dirt, "seconds": round(seconds, 3)}
    if as_json:
        return msgspec.json.encode(told).decode() + "\n"
    rate = round((done.accepted + done.duplicates + done.rejected) / max(seconds, 0.001))
    text = f"{done.accepted} accepted, {done.duplicates} duplicates, {done.rejected} rejected"
    text += f" in {seconds:.1f} s ({rate} lines/s){' (dry run: nothing was sent)' if feeder.target is None else ''}\n"
    text += _listed("rejected", done.reasons, done.examples) + _listed("set right", done.dirt)
    if not done.line:
        text += f"  {feeder.file.path} has no lines{'' if feeder.file.mapping is None else ' after its header'}\n"
    elif done.rejected and not (done.accepted or done.duplicates):
        text += "  nothing was taken: is it the right mapping, delimiter and encoding?\n" if feeder.file.mapping else ""
    if done.reasons.get("TOO_LATE"):
        text += "  the file is not in order of time: --any-order takes it as it is, a longer --lateness most of it\n"
    return text + (f"rejected lines: {feeder.rejected_path}\n" if done.rejected else "")


def _listed(title: str, counts: Mapping[str, int], examples: Mapping[str, str] | None = None) -> str:
    shown = {name: f" ({text[:200]})" for name, text in (examples or {}).items()}
    return "".join(
        f"  {title}: {name} {count}{shown.get(name, '')}\n" for name, count in sorted(counts.items()) if count
    )
