"""A file fed by the real command into the real service over a real broker, both killed with -9: exact (CH-7)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from analytics.adapters.fed_facts import read
from switchlog.auth.signing import public_jwks
from switchlog.bus import clients
from switchlog.testing import TestIssuer, eventually, free_port
from switchlog.testing.identity import ISSUER

from .feeds import accepted, body, calls
from .test_fed_fold import at, by_hand

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
CALLS = 4_000
RUN = """
import sys
from analytics import wiring
wiring.TOPICS["feed"] = sys.argv[1]  # the broker is shared, and its topic holds what others fed
from analytics.__main__ import app
sys.exit(app(["run"]))
"""


@dataclass
class Lab:
    """A tenant of one's own, the service, and a file of calls."""

    tenant: str
    issuer: TestIssuer
    jwks: str
    folder: Path
    port: int = field(default_factory=free_port)
    grpc_port: int = field(default_factory=free_port)
    service: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def topic(self) -> str:
        return f"feed.{self.tenant}"

    @property
    def file(self) -> Path:
        return self.folder / "calls.jsonl"

    async def start(self) -> None:
        env = os.environ | {
            "KAFKA_BOOTSTRAP": BOOTSTRAP,
            "STORE": os.environ.get("STORE") or "sqlite",
            "DATA_DIR": str(self.folder / "data"),
            "ANALYTICS_TOPIC": f"{self.topic}.pools",
            "ANALYTICS_FEED_TOPIC": self.topic,
            "ANALYTICS_STATE": self.tenant,
            "ANALYTICS_REPLICA": self.tenant,
            "ANALYTICS_TIME_ZONE": "UTC",
            "ANALYTICS_PORT": str(self.port),
            "ANALYTICS_GRPC_PORT": str(self.grpc_port),
            "AUTH_ISSUER": ISSUER,
            "AUTH_JWKS_URL": self.jwks,
            "LOG_LEVEL": "WARNING",
        }
        self.service = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, self.topic, env=env)
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:

            async def serves() -> bool:
                assert self.service is not None and self.service.returncode is None
                try:
                    return (await http.get("/readyz")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(serves, within_s=60, every_s=0.1)

    async def feed(self) -> asyncio.subprocess.Process:
        command = ("-m", "analytics", "feed", str(self.file), "--any-order", "--json", "--url", self.url)
        env = os.environ | {"SWITCHLOG_TOKEN": self.issuer.issue("root", ("admin",))}
        return await asyncio.create_subprocess_exec(sys.executable, *command, env=env, stdout=asyncio.subprocess.PIPE)

    async def fed(self) -> dict:
        """What the command says at its end."""
        process = await self.feed()
        said, _ = await asyncio.wait_for(process.communicate(), 200)
        assert process.returncode == 0
        return json.loads(said)

    async def figures(self) -> list[dict]:
        asked = {"from": "2025-11-24T00:00:00Z", "to": "2025-12-01T00:00:00Z", "step": "15m", "tz": "UTC"}
        headers = self.issuer.bearer("ann", ("analyst",))
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=60) as http:
            answer = await http.get("/v1/figures", params=asked, headers=headers)
        return answer.json()["rows"] if answer.status_code == 200 else []

    async def told(self) -> dict[str, list]:
        """Every event of our tenant on the topic, by stream, first occurrences."""
        consumer = clients.consumer(BOOTSTRAP, f"g{uuid.uuid4().hex}", [self.topic])
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment() or await _assigned(consumer))
            found: dict[str, dict[int, object]] = {}
            while any([await consumer.position(one) < end for one, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200, max_records=5_000)).values():
                    for record in records:
                        event = read(record.value)
                        if event.meta.tenant_id == self.tenant:
                            found.setdefault(event.meta.stream, {}).setdefault(event.meta.version, event)
        finally:
            await consumer.stop()
        return {stream: [versions[n] for n in sorted(versions)] for stream, versions in found.items()}


async def _assigned(consumer) -> set:
    while not consumer.assignment():
        await consumer.getmany(timeout_ms=100)
    await consumer.seek_to_beginning()
    return consumer.assignment()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    tenant = f"t{uuid.uuid4().hex[:12]}"
    issuer = TestIssuer(tenant=tenant)
    keys = json.dumps(public_jwks(issuer.signer.key)).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lab = Lab(tenant, issuer, f"http://127.0.0.1:{server.server_address[1]}/jwks.json", tmp_path)
    for topic in (lab.topic, f"{lab.topic}.pools"):
        await clients.ensure_topic(BOOTSTRAP, topic, 6, {"message.timestamp.type": "LogAppendTime"})
    yield lab
    if lab.service is not None and lab.service.returncode is None:
        lab.service.kill()
        await lab.service.wait()
    server.shutdown()
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    await admin.delete_topics([lab.topic, f"{lab.topic}.pools"])
    await admin.close()


async def test_a_file_fed_while_everything_is_killed_is_counted_exactly(lab: Lab):
    lines = calls(CALLS, seed=9)
    lab.file.write_bytes(body(lines[::-1]))
    await lab.start()

    feeder = await lab.feed()
    await eventually(lambda: lab.file.with_name("calls.jsonl.feed.json").exists(), within_s=60)
    feeder.kill()
    await feeder.wait()

    feeder = await lab.feed()
    await asyncio.sleep(0.5)
    assert lab.service is not None
    lab.service.send_signal(signal.SIGKILL)
    await lab.service.wait()
    await lab.start()
    said, _ = await asyncio.wait_for(feeder.communicate(), 200)
    told = json.loads(said)
    assert feeder.returncode == 0 and told["rejected"] == 0
    assert told["accepted"] + told["duplicates"] >= len(lines)

    rows = await eventually(lambda: _final(lab), within_s=120, every_s=0.5)
    assert _counted(rows) == _totals(by_hand(lines, "cohort"))

    streams = await lab.told()
    fed = Counter(
        event.call_fact_fed.line_id
        for events in streams.values()
        for event in events
        if event.HasField("call_fact_fed")
    )
    assert fed == Counter({one.line.line_id: 1 for _, one in accepted(lines)})
    for events in streams.values():
        assert [event.meta.version for event in events] == list(range(1, len(events) + 1))

    began = time.monotonic()
    again = await lab.fed()
    print(f"{len(lines)} lines again in {time.monotonic() - began:.1f} s")
    assert (again["accepted"], again["duplicates"], again["rejected"]) == (0, len(lines), 0)
    await asyncio.sleep(2)
    assert _without_age(await lab.figures()) == _without_age(rows)
    assert {stream: len(events) for stream, events in (await lab.told()).items()} == {
        stream: len(events) for stream, events in streams.items()
    }


async def _final(lab: Lab) -> list[dict]:
    rows = await lab.figures()
    return rows if rows and all(row["final"] for row in rows) else []


def _counted(rows: list[dict]) -> Counter:
    """(queue, quarter hour, what) -> number, as answered."""
    found: Counter = Counter()
    for row in rows:
        key = row["queue"], at({"at": row["start"]})
        for what in ("offered", "answered", "abandoned"):
            found[*key, what] += row["counts"][what]
        found[*key, "wait_ms"] += round(1000 * (row["seconds"]["wait_answered"] + row["seconds"]["wait_abandoned"]))
    return +found


def _totals(hand: Counter) -> Counter:
    return +Counter({key: n for key, n in hand.items() if key[2] in ("offered", "answered", "abandoned", "wait_ms")})


def _without_age(rows: list[dict]) -> list[dict]:
    return [row | {"freshness_s": 0} for row in rows]
