"""A transcript is sealed, summed and opened again; repeats make no second object; facts survive the wire."""

from __future__ import annotations

import os
from hashlib import sha256

import pytest
from obstore.store import MemoryStore as MemoryObjects

from recording import wire
from recording.adapters.customers import SealerOf
from recording.adapters.objects import StoredObjects
from recording.app import transcripts
from recording.app.ports import Line
from recording.domain import events as domain
from recording.domain.events import RecordingEvent
from recording.domain.state import Leg, Stored
from recording.projections.lines import LinesView
from switchlog.envelope import StreamId
from switchlog.errors import NotFound, Poison
from switchlog.seal import Erased, SubjectKey, SubjectKeys
from switchlog.store.memory import MemoryStore

LEG = Leg("r1", "c1", 1, "sales", "ann", "x", "cust-1")
CONTACT = StreamId("acme", "contact-c1")


def keys_of(secret: bytes | None) -> SubjectKeys:
    async def fetch(tenant: str, customer_ref: str) -> SubjectKey:
        if secret is None:
            raise Erased
        return SubjectKey(customer_ref, secret)

    return SubjectKeys(fetch)


async def line(sealer: SealerOf, version: int, leg: int, text: str) -> Line:
    body = await sealer.seal("acme", "cust-1", "MessageReceived.body", text.encode())
    return Line(version, leg, f"m{version}", "customer", "", "text", 1000 + version, "MessageReceived.body", body, "")


async def test_a_transcript_can_be_read_by_its_key_only() -> None:
    sealer, objects = SealerOf(keys_of(os.urandom(32))), StoredObjects(MemoryObjects())
    lines = [await line(sealer, 2, 0, "你好"), await line(sealer, 4, 1, "hello")]
    command = await transcripts.store("acme", LEG, lines, 5000, sealer, objects)
    content = await objects.get(command.object)
    assert sha256(content).hexdigest() == command.sha256
    assert b"hello" not in content
    stored = Stored(LEG, command.sha256, command.object, command.key_id, command.nonce, 5000, command.messages)
    shown = await transcripts.read("acme", stored, sealer, objects)
    assert [one["text"] for one in shown] == ["你好", "hello"]
    with pytest.raises(Erased):
        await transcripts.read("acme", stored, SealerOf(keys_of(None)), objects)


async def test_an_altered_object_is_noticed() -> None:
    """RC-1"""
    sealer, objects = SealerOf(keys_of(os.urandom(32))), StoredObjects(MemoryObjects())
    command = await transcripts.store("acme", LEG, [], 0, sealer, objects)
    await objects.put(command.object, b"something else")
    stored = Stored(LEG, command.sha256, command.object, command.key_id, command.nonce, 0, 0)
    with pytest.raises(Poison, match="ALTERED"):
        await transcripts.read("acme", stored, sealer, objects)


async def test_what_was_said_before_the_first_leg_belongs_to_it() -> None:
    sealer, view = SealerOf(keys_of(os.urandom(32))), LinesView(MemoryStore().views)
    for version, leg in ((2, 0), (4, 1), (9, 2)):
        for _ in range(2):  # the second delivery is boring
            await view.said(CONTACT, await line(sealer, version, leg, "x"))
    for leg, version in ((1, 5), (2, 8)):
        await view.began("acme", "c1", leg, 1000 * leg, version)
    assert [one.version for one in await view.of_leg("acme", "c1", 1)] == [2, 4]
    assert [one.version for one in await view.of_leg("acme", "c1", 2)] == [9]


async def test_what_was_said_in_a_leg_that_no_agent_had_belongs_to_the_next() -> None:
    """RT-5: overflowed while waiting; each message stands in one transcript, once."""
    sealer, view = SealerOf(keys_of(os.urandom(32))), LinesView(MemoryStore().views)
    for version, leg in ((2, 0), (4, 1), (6, 2), (9, 3), (12, 4)):
        await view.said(CONTACT, await line(sealer, version, leg, "x"))
    await view.began("acme", "c1", 2, 2000, 7)
    await view.began("acme", "c1", 4, 4000, 11)
    found = {leg: [one.version for one in await view.of_leg("acme", "c1", leg)] for leg in (2, 4)}
    assert found == {2: [2, 4, 6], 4: [9, 12]}
    await view.forget(CONTACT)
    assert await view.of_leg("acme", "c1", 4) == []


async def test_a_damaged_text_does_not_cost_the_transcript() -> None:
    sealer, other = SealerOf(keys_of(b"a" * 32)), SealerOf(keys_of(b"b" * 32))
    objects = StoredObjects(MemoryObjects())
    lines = [await line(other, 2, 1, "lost"), await line(sealer, 4, 1, "hello")]
    command = await transcripts.store("acme", LEG, lines, 0, sealer, objects)
    stored = Stored(LEG, command.sha256, command.object, command.key_id, command.nonce, 0, command.messages)
    shown = await transcripts.read("acme", stored, sealer, objects)
    assert [(one.get("unreadable"), one.get("text")) for one in shown] == [(True, None), (None, "hello")]


async def test_whose_contact_it_is_comes_from_its_first_fact() -> None:
    view = LinesView(MemoryStore().views)
    with pytest.raises(NotFound):
        await view.customer("acme", "c1")
    await view.started(CONTACT, 1, "cust-1")
    assert await view.customer("acme", "c1") == "cust-1"


@pytest.mark.parametrize(
    "event",
    [
        domain.RecordingStarted("r1", "c1", 1, "sales", "front", "ann", "x", "cust-1"),
        domain.RecordingStored("r1", "c1", 1, "abc", "o", 10, 5000, 3, "k", b"n"),
        domain.RecordingPlayed("r1", "sue", "qa"),
        domain.HoldPlaced("r1", "h1", "adm", "court"),
        domain.HoldLifted("r1", "h1", "adm"),
        domain.RecordingDeleted("r1", "old", "adm"),
    ],
)
def test_every_fact_survives_the_wire(event: RecordingEvent) -> None:
    assert wire.read(wire.CODEC.parse(wire.write(event).SerializeToString(deterministic=True))) == event
