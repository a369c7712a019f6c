"""What a broker lost is published again when the demo starts (kernel rule 13)."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from contactcenter.agent.v1.events_pb2 import AgentEvent, AgentSignedIn
from contactcenter.topics import create_topics
from switchlog.envelope import Cause, Codec, StreamId, compose
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings
from switchlog_local.demo.compare import compare

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
CODEC: Codec[AgentEvent] = Codec("agent_state", "agent.events.v1", AgentEvent, lambda e: e, lambda m: m)  # type: ignore


@pytest.mark.kafka
async def test_what_is_stored_and_not_on_its_topic_is_published_again(tmp_path: Path) -> None:
    await create_topics(BOOTSTRAP)
    stream = StreamId(f"t{uuid4().hex[:12]}", "agent-a1")
    await lose(tmp_path, stream)
    said: list[str] = []
    env = {"KAFKA_BOOTSTRAP": BOOTSTRAP, "STORE": "sqlite", "DATA_DIR": str(tmp_path)}
    assert await compare(env, said.append) == 1
    assert await compare(env, said.append) == 0
    assert "1 streams published again" in said[0]


async def lose(folder: Path, stream: StreamId) -> None:
    """Three events whose watermark says published, and no record of them."""
    store = await open_store(StoreSettings("sqlite", str(folder)), "agent_state")
    events = [AgentEvent(agent_signed_in=AgentSignedIn(agent="a1")) for _ in range(3)]
    now = 1_790_000_000_000 + 10**12  # never older than the topic keeps records
    rows = compose(stream, 0, [(Cause("c1", "", "test"), events)], CODEC, "b1", now)
    await store.events.append(stream, 0, "b1", rows)
    await store.events.published(stream, 3)
    await store.close()
