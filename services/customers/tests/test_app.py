"""References, keys, merges and erasure over a store in memory."""

from __future__ import annotations

import asyncio

import pytest

from contactcenter.customer.v1 import events_pb2 as pb
from customers import wire
from customers.app.ports import LastAgent
from customers.bus.consumers import finishing
from customers.domain.events import (
    CustomerErased,
    CustomerEvent,
    CustomerKnown,
    CustomersMerged,
    ErasureRequested,
    Identity,
    IdentityLinked,
    Kind,
)
from customers.domain.state import Erased
from switchlog.bus.record import Received
from switchlog.envelope import StreamId
from switchlog.errors import NotFound, Rejected
from switchlog.seal import Erased as KeyErased
from switchlog.seal import seal, unseal

from .scene import PHONE, TENANT, Scene

PLACE = {"tenant": TENANT, "customer_ref": "r", "field": "MessageReceived.body"}


@pytest.fixture
def scene() -> Scene:
    return Scene()


# -- references -------------------------------------------------------------------------------------------------------


async def test_an_address_leads_to_one_reference_however_it_is_written(scene: Scene) -> None:
    first, again = await scene.resolve(), await scene.resolve("0049 (171) 123-456")
    assert (first.created, again.created) == (True, False)
    assert first.customer_ref == again.customer_ref
    assert (await scene.resolve("+49 171 999")).customer_ref != first.customer_ref


async def test_many_at_once_meet_in_one_reference(scene: Scene) -> None:
    processes = [scene.process() for _ in range(4)]
    identity = await scene.identity()
    found = await asyncio.gather(*(processes[n % 4].references.of(TENANT, identity, scene.cause()) for n in range(40)))
    assert len({one.customer_ref for one in found}) == 1
    assert await scene.facts(found[0].customer_ref) == [
        CustomerKnown(found[0].customer_ref),
        IdentityLinked(found[0].customer_ref, identity),
    ]


async def test_an_anonymous_person_is_new_each_time_but_not_on_a_retry(scene: Scene) -> None:
    cause = scene.cause()
    first, retried = await scene.references.anonymous(TENANT, cause), await scene.references.anonymous(TENANT, cause)
    other = await scene.references.anonymous(TENANT, scene.cause())
    assert (first.customer_ref, first.created) == (retried.customer_ref, True)
    assert not retried.created
    assert other.customer_ref != first.customer_ref


async def test_tenants_share_nothing(scene: Scene) -> None:
    """PL-1"""
    ours, theirs = await scene.identity(), await scene.identity(tenant="other")
    assert ours.address_hmac != theirs.address_hmac
    ref = (await scene.resolve()).customer_ref
    with pytest.raises(NotFound):
        await scene.references.known("other", ref)


async def test_the_secret_of_a_tenant_outlives_the_process(scene: Scene) -> None:
    ours = await scene.identity()
    again = await scene.process().secrets.identity(TENANT, Kind.PHONE, PHONE)
    assert ours == again


# -- keys -------------------------------------------------------------------------------------------------------------


async def test_many_at_once_get_one_key(scene: Scene) -> None:
    """kernel rule 18"""
    ref = (await scene.resolve()).customer_ref
    keys = await asyncio.gather(*(scene.process().secrets.key(TENANT, ref) for _ in range(20)))
    assert len({key.secret for key in keys}) == 1
    sealed = seal(keys[0], "你好".encode(), **PLACE)
    assert unseal(keys[-1], sealed, **PLACE).decode() == "你好"


async def test_the_table_never_holds_a_key_in_clear(scene: Scene) -> None:
    ref = (await scene.resolve()).customer_ref
    key = await scene.secrets.key(TENANT, ref)
    wrapped = await scene.store.keys.get(TENANT, ref)
    assert wrapped is not None
    assert key.secret not in wrapped


async def test_there_is_no_key_for_a_stranger(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.secrets.key(TENANT, "nobody")


# -- merging ----------------------------------------------------------------------------------------------------------


async def test_a_linked_address_leads_to_the_same_person(scene: Scene) -> None:
    ref = (await scene.resolve()).customer_ref
    mail = await scene.identity("ann@example.com", Kind.EMAIL)
    cause = scene.cause()
    first = await scene.customers.link(TENANT, ref, mail, cause)
    again = await scene.customers.link(TENANT, ref, mail, cause)
    assert first.version == again.version
    assert (await scene.resolve("Ann@Example.com", Kind.EMAIL)).customer_ref == ref


async def test_an_address_of_somebody_known_by_more_is_not_taken_away(scene: Scene) -> None:
    ref = (await scene.resolve()).customer_ref
    other = (await scene.resolve("+1 555", Kind.PHONE)).customer_ref
    await scene.customers.link(TENANT, other, await scene.identity("o@example.com", Kind.EMAIL), scene.cause())
    with pytest.raises(Rejected) as refusal:
        await scene.customers.link(TENANT, ref, await scene.identity("+1 555"), scene.cause())
    assert refusal.value.reason == "IDENTITY_OF_ANOTHER"


async def test_after_a_merge_the_reference_that_was_kept_stands_for_both(scene: Scene) -> None:
    kept, merged = (await scene.resolve()).customer_ref, (await scene.resolve("+1 555")).customer_ref
    await scene.customers.merge(TENANT, kept, merged, scene.cause())
    assert (await scene.resolve("+1 555")).customer_ref == kept
    assert (await scene.facts(kept))[-1] == (await scene.facts(merged))[-1] == CustomersMerged(kept, merged)


async def test_old_text_of_a_merged_person_stays_readable(scene: Scene) -> None:
    kept, merged = (await scene.resolve()).customer_ref, (await scene.resolve("+1 555")).customer_ref
    before = await scene.secrets.key(TENANT, merged)
    await scene.customers.merge(TENANT, kept, merged, scene.cause())
    assert (await scene.secrets.key(TENANT, merged)).secret == before.secret


async def test_two_who_would_each_stand_for_the_other_are_refused(scene: Scene) -> None:
    one, two = (await scene.resolve()).customer_ref, (await scene.resolve("+1 555")).customer_ref
    await scene.customers.merge(TENANT, one, two, scene.cause())
    with pytest.raises(Rejected):
        await scene.customers.merge(TENANT, two, one, scene.cause())
    assert (await scene.resolve("+1 555")).customer_ref == one


# -- erasure (PL-5) ---------------------------------------------------------------------------------------------------


async def test_after_erasure_the_key_is_gone_and_the_person_is_new(scene: Scene) -> None:
    """PL-5 P9, kernel rule 18"""
    ref = (await scene.resolve()).customer_ref
    await scene.secrets.key(TENANT, ref)
    await scene.erase(ref)
    with pytest.raises(KeyErased):
        await scene.secrets.key(TENANT, ref)
    with pytest.raises(NotFound):
        await scene.store.keys.get(TENANT, ref)
    fresh = await scene.resolve()
    assert (fresh.customer_ref != ref, fresh.created) == (True, True)
    assert (await scene.resolve()).customer_ref == fresh.customer_ref
    await scene.erase(fresh.customer_ref)
    assert (await scene.resolve()).customer_ref not in (ref, fresh.customer_ref)


async def test_a_person_without_a_key_never_gets_one_after_erasure(scene: Scene) -> None:
    ref = (await scene.resolve()).customer_ref
    await scene.erase(ref)
    assert await scene.store.keys.create(TENANT, ref, b"late") is None


async def test_one_admin_cannot_erase_alone(scene: Scene) -> None:
    """PL-5"""
    ref = (await scene.resolve()).customer_ref
    before = await scene.secrets.key(TENANT, ref)
    await scene.customers.request_erasure(TENANT, ref, "", scene.cause("root"))
    with pytest.raises(Rejected) as refusal:
        await scene.customers.approve_erasure(TENANT, ref, scene.cause("root"))
    assert refusal.value.reason == "SECOND_ADMIN_NEEDED"
    assert (await scene.secrets.key(TENANT, ref)).secret == before.secret


async def test_an_approval_of_another_request_is_refused(scene: Scene) -> None:
    ref = (await scene.resolve()).customer_ref
    await scene.customers.request_erasure(TENANT, ref, "", scene.cause("root"))
    with pytest.raises(Rejected) as refusal:
        await scene.customers.approve_erasure(TENANT, ref, scene.cause("boss"), "something-else")
    assert refusal.value.reason == "OTHER_REQUEST"


async def test_everybody_who_was_merged_is_erased_along(scene: Scene) -> None:
    """PL-5"""
    refs = [(await scene.resolve(f"+1 555 {n}")).customer_ref for n in range(3)]
    for ref in refs:
        await scene.secrets.key(TENANT, ref)
    await scene.customers.merge(TENANT, refs[1], refs[2], scene.cause())
    await scene.customers.merge(TENANT, refs[0], refs[1], scene.cause())
    await scene.erase(refs[0])
    for ref in refs:
        erased = (await scene.facts(ref))[-1]
        assert isinstance(erased, CustomerErased)
        assert (erased.requested_by, erased.approved_by) == ("root", "boss")
        with pytest.raises(KeyErased):
            await scene.secrets.key(TENANT, ref)
    assert (await scene.resolve("+1 555 2")).created


async def test_an_erasure_that_a_crash_cut_short_is_finished_from_its_fact(scene: Scene, monkeypatch) -> None:
    """I8: the fact stands, the key did not go; its reader carries it out, twice without harm."""
    ref = (await scene.resolve()).customer_ref
    await scene.secrets.key(TENANT, ref)
    crashed = scene.process()

    async def crash(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(type(crashed.erasure), "carry_out", crash)
    await scene.customers.request_erasure(TENANT, ref, "", scene.cause("root"))
    with pytest.raises(RuntimeError):
        await crashed.customers.approve_erasure(TENANT, ref, scene.cause("boss"))
    monkeypatch.undo()
    assert await scene.store.keys.get(TENANT, ref) is not None
    row = (await scene.store.events.read(StreamId(TENANT, f"customer-{ref}")))[-1]
    headers = dict(row.headers)
    where = StreamId(TENANT, f"customer-{ref}")
    record = Received(
        wire.TOPIC, 0, 0, where.key, where, row.version, row.type, row.event_id, "customers", row.value, headers
    )
    handle = finishing(scene.process().erasure, wire.read_own)
    for _ in range(2):
        await handle(record)
    with pytest.raises(NotFound):
        await scene.store.keys.get(TENANT, ref)


async def test_a_replay_erases_nothing(scene: Scene) -> None:
    """trust, Side effects"""
    ref = (await scene.resolve()).customer_ref
    await scene.secrets.key(TENANT, ref)
    where = StreamId(TENANT, f"customer-{ref}")
    fact = pb.CustomerEvent(customer_erased=pb.CustomerErased(customer_ref=ref))
    fact.meta.tenant_id, fact.meta.stream, fact.meta.version = TENANT, where.name, 9
    value = fact.SerializeToString()
    record = Received("replay.x", 0, 0, where.key, where, 9, "", "", "customers", value, {}, replayed=True)
    await finishing(scene.erasure, wire.read_own)(record)
    assert await scene.store.keys.get(TENANT, ref) is not None


async def test_the_state_shows_the_marker(scene: Scene) -> None:
    """P9"""
    ref = (await scene.resolve()).customer_ref
    await scene.erase(ref)
    assert isinstance((await scene.customers.show(TENANT, ref))[0], Erased)


async def test_no_address_is_anywhere_in_the_store(scene: Scene) -> None:
    """PL-5"""
    await scene.resolve()
    for stream in await scene.store.events.streams(TENANT):
        for row in await scene.store.events.read(stream):
            # as written, as normalised, and its own part: three digits alone stand in many a random id
            for said in (PHONE, "171123456", "171 123456", "123456"):
                assert said.encode() not in row.value


# -- the wire ---------------------------------------------------------------------------------------------------------

EVENTS: list[CustomerEvent] = [
    CustomerKnown("r1"),
    *(IdentityLinked("r1", Identity(kind, "ab12")) for kind in Kind),
    CustomersMerged("r1", "r2"),
    ErasureRequested("r1", "e1", "root", "gdpr"),
    CustomerErased("r1", "e1", "root", "boss"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_written_reads_the_same(event: CustomerEvent) -> None:
    assert wire.read(pb.CustomerEvent.FromString(wire.write(event).SerializeToString())) == event


def test_every_kind_of_fact_has_an_example() -> None:
    assert {type(event) for event in EVENTS} == set(CustomerEvent.__args__)  # type: ignore[attr-defined]


def test_facts_and_kinds_of_a_later_version_are_skipped() -> None:
    assert wire.read(pb.CustomerEvent()) is None
    assert wire.read(pb.CustomerEvent(identity_linked=pb.IdentityLinked(kind=99))) is None  # type: ignore[arg-type]


# -- who served whom last ---------------------------------------------------------------------------------------------


async def test_the_last_agent_is_that_of_the_latest_connection_over_all_contacts(scene: Scene) -> None:
    """RT-1: a contact's facts may be delivered twice, and another contact's later ones before them."""
    view = scene.service.last_agents
    first, second = StreamId(TENANT, "contact-1"), StreamId(TENANT, "contact-2")
    for contact in (first, second):
        await view.started(contact, 1, "r")
    await view.served(second, LastAgent("bob", "sales", 200))
    for _ in range(2):
        await view.served(first, LastAgent("ann", "help", 100))
    assert await view.get(TENANT, "r") == LastAgent("bob", "sales", 200)
    assert await view.get("other", "r") is None
    await view.ended(first, 9)
    await view.served(first, LastAgent("eve", "help", 300))
    assert await view.get(TENANT, "r") == LastAgent("bob", "sales", 200)


async def test_an_erasure_forgets_the_last_agent_for_ever(scene: Scene) -> None:
    """PL-5"""
    view, ref = scene.service.last_agents, (await scene.resolve()).customer_ref
    contact = StreamId(TENANT, "contact-1")
    await view.started(contact, 1, ref)
    await view.served(contact, LastAgent("bob", "sales", 200))
    await scene.erase(ref)
    await view.served(contact, LastAgent("bob", "sales", 300))
    assert await view.get(TENANT, ref) is None
