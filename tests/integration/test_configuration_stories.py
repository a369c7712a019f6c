"""A centre set up from a file, and what its rules do to those who wait: passed on, closed to, moved, rung twice."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from contactcenter.routing.v1 import config_pb2 as config_pb
from contactcenter.routing.v1 import events_pb2 as routing_pb
from routing.adapters.configuring import apply_file
from routing.adapters.owners import Owners
from switchlog.calendars import DAYS
from switchlog.testing import eventually

from .centre import STORY
from .centre.people import Agent, Visitor
from .centre.tenant import TEAM, Tenant

pytestmark = STORY

SERVICES = ("routing", "agent_state", "ingress_chat", "ingress_voice")
HELP = """
pools:
  front: {policy: longest-idle@1}
skills:
  expert: {name: Expert 专家}
hours:
  always: {time_zone: UTC, weekly: {EVERY_DAY}}
  never: {time_zone: Asia/Shanghai}
targets:
  usual: {service_level_threshold_s: 20, service_level_target: 0.8}
queues:
  help:
    pool: front
    target: usual
    hours: always
    required_skills: [{skill: expert}]
    overflows: [{rule: slow, trigger: wait, after_s: 1, action: queue, to_queue: backup}]
  backup: {pool: front}
  night: {pool: front, hours: never}
  strict: {pool: front, required_skills: [{skill: expert}], max_wait_s: 1}
  letter:
    pool: front
    required_skills: [{skill: expert}]
    overflows: [{rule: post, trigger: wait, after_s: 1, action: voicemail}]
  loud: {pool: front, ring_agents: 2}
  rare: {pool: front, required_skills: [{skill: expert}]}
teams:
  team-1: {name: Front 前台}
entry_points:
  help: {channel: chat, site_key: site-TENANT-help, queue: help}
  backup: {channel: chat, site_key: site-TENANT-backup, queue: backup}
  night: {channel: chat, site_key: site-TENANT-night, queue: night}
  strict: {channel: chat, site_key: site-TENANT-strict, queue: strict}
  letter: {channel: chat, site_key: site-TENANT-letter, queue: letter}
  loud: {channel: chat, site_key: site-TENANT-loud, queue: loud}
  shut: {channel: chat, site_key: site-TENANT-shut, queue: backup, hours: never, when_closed: message}
  line: {channel: voice, called: "TENANT", queue: help, hours: always}
agents:
  ann: {name: Ann, team: team-1, pool: front, capacity: [{channel: chat, slots: 1}]}
  bob: {name: Bob, team: team-1, pool: front, capacity: [{channel: chat, slots: 1}]}
  eve: {name: Eve, team: team-1, pool: front, skills: [{skill: expert}]}
""".replace("EVERY_DAY", ", ".join(f"{day}: ['00:00-24:00']" for day in DAYS))


def file_of(tenant: Tenant, folder: Path, text: str = HELP) -> Path:
    (file := folder / "centre.yaml").write_text(text.replace("TENANT", tenant.id))
    return file


async def config(tenant: Tenant, *words: Any, code: int = 0) -> str:
    """``python -m routing config ...`` as an admin of ``tenant``; what it printed, and said of its mistakes."""
    where = [part for name in SERVICES for part in ("--url", f"{name}={tenant.plan.url(name)}")]
    token = tenant.issuer.issue("admin-1", ["admin"], tenant=tenant.id)
    command = [sys.executable, "-m", "routing", "config", *map(str, words), *where, "--token", token]
    running = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await running.communicate()
    assert running.returncode == code, (running.returncode, out.decode(), err.decode())
    return out.decode() + err.decode()


async def set_up(tenant: Tenant, folder: Path) -> None:
    """As the command does, without the time that a process takes to start."""
    token = tenant.issuer.issue("admin-1", ["admin"], tenant=tenant.id)
    async with Owners({name: tenant.plan.url(name) for name in SERVICES}, token) as owners:
        await apply_file(file_of(tenant, folder), owners, lambda done, of: None)


async def at_desk(tenant: Tenant, agent: str) -> Agent:
    """An agent of the file, ready."""
    return await in_pool(tenant, await Agent.arrive(agent, tenant.api(agent, ["agent"], [TEAM])))


async def in_pool(tenant: Tenant, agent: Agent) -> Agent:
    """Once its pool has seen it ready: contacts come by another topic, and may be there first."""

    def seen() -> bool:
        observed = [fact.data for fact in tenant.facts("pool-", "AgentObserved")]
        said = [one.fact.WhichOneof("fact") for one in observed if one.source_stream.endswith(f"/agent-{agent.id}")]
        return "agent_ready" in said

    await eventually(seen, within_s=15)
    return agent


async def waiting(tenant: Tenant, queue: str) -> Visitor:
    visitor = await tenant.visitor(queue)
    await visitor.say("Hello")
    return visitor


def of(tenant: Tenant, contact: str, *names: str) -> list[Any]:
    """What pools said of ``contact``."""
    return [fact.data for fact in tenant.facts("pool-", *names) if fact.data.contact == contact]


def outcomes(tenant: Tenant, contact: str) -> list[tuple[str, str]]:
    """Each leg's queue and how it left."""
    found = of(tenant, contact, "ContactDequeued")
    return [(one.queue, routing_pb.DequeueOutcome.Name(one.outcome).removeprefix("DEQUEUE_OUTCOME_")) for one in found]


async def until(tenant: Tenant, contact: str, name: str, count: int = 1) -> Any:
    def found() -> Any:
        facts = of(tenant, contact, name)
        assert len(facts) >= count, f"no {name} number {count}: {[one.name for one in tenant.facts('pool-')]}"
        return facts[count - 1]

    return await eventually(found, within_s=15)


async def test_a_file_makes_a_centre_that_serves_and_a_second_time_changes_nothing(
    tenant: Tenant, tmp_path: Path
) -> None:
    """PL-3: shown first, sent once, written back, and nothing of it sent again."""
    file = file_of(tenant, tmp_path)
    assert "nothing was sent" in await config(tenant, "apply", file, "--dry-run")
    assert tenant.facts("pool-") == []
    told = await config(tenant, "apply", file)
    assert "sent, and seen to stand" in told and "+ queues/help" in told and "+ agents/ann" in told
    assert "0 added, 0 changed, 0 removed" in await config(tenant, "apply", file)
    again = tmp_path / "again.yaml"
    await config(tenant, "export", "--out", again)
    assert "0 added, 0 changed, 0 removed" in await config(tenant, "apply", again)
    assert len(tenant.facts("pool-front", "QueueDefined")) == 7
    again.write_text(again.read_text().replace("max_wait_s: 1.0", "max_wait_s: 2.0"))
    assert "    max_wait_s: 1.0 -> 2.0" in await config(tenant, "apply", again)
    ann = await at_desk(tenant, "ann")
    visitor = await waiting(tenant, "backup")
    await ann.takes(visitor.contact)


async def test_nothing_is_sent_of_a_file_with_a_mistake(tenant: Tenant, tmp_path: Path) -> None:
    told = await config(tenant, "apply", file_of(tenant, tmp_path, HELP + "  cas: {name: Cas}\n"), code=2)
    assert "agents.cas.team: is missing" in told and "line " in told
    wrong = HELP.replace("ring_agents: 2", "targeting: 'agent.('")
    told = await config(tenant, "apply", file_of(tenant, tmp_path, wrong), code=2)
    assert "queues.loud.targeting: says nothing" in told
    assert tenant.facts("pool-") == []


async def test_who_waits_too_long_is_served_in_the_other_queue_and_both_can_tell(
    tenant: Tenant, tmp_path: Path
) -> None:
    """RT-5: one story, two legs, each with its own end; the first wait is not forgotten."""
    await set_up(tenant, tmp_path)
    ann = await at_desk(tenant, "ann")
    visitor = await waiting(tenant, "help")
    offer = await ann.takes(visitor.contact)
    assert (offer["leg"], offer["queue"]) == (2, "backup")
    first, second = tenant.facts(f"contact-{visitor.contact}", "ContactQueued")
    assert (second.data.leg, second.data.from_queue, second.data.pool) == (2, "help", "front")
    assert second.data.arrived_at == first.data.arrived_at
    flown = await until(tenant, visitor.contact, "ContactOverflowed")
    assert (flown.rule, flown.to_queue, flown.origin_queue) == ("slow", "backup", "help")
    await until(tenant, visitor.contact, "ContactDequeued", 2)
    assert outcomes(tenant, visitor.contact) == [("help", "FLOWED_OUT"), ("backup", "ANSWERED")]
    waits = of(tenant, visitor.contact, "ContactWaiting")
    assert [one.origin_queue for one in waits][-1] == "help"
    await counted(tenant, "help", offered=1, flowed_out=1, answered=0)
    await counted(tenant, "backup", offered=1, flowed_out=0, answered=1)


async def counted(tenant: Tenant, queue: str, **counts: int) -> None:
    """Wait until the day's figures of ``queue`` are so."""

    async def found() -> bool:
        row = await tenant.analyst.seen("analytics", f"/v1/queues/{queue}/now")
        now = {name: row["today"]["counts"][name] for name in counts}
        assert now == counts, f"{queue}: {now}"
        return True

    await eventually(found, within_s=20)


async def test_who_waits_as_long_as_a_contact_may_is_told_the_end(tenant: Tenant, tmp_path: Path) -> None:
    """RT-5"""
    await set_up(tenant, tmp_path)
    visitor = await waiting(tenant, "strict")
    ended = await visitor.status("ended")
    assert ended["data"]["reason"] == "timed_out"
    await until(tenant, visitor.contact, "ContactDequeued")
    assert outcomes(tenant, visitor.contact) == [("strict", "TIMED_OUT")]
    await tenant.fact(f"contact-{visitor.contact}", "ContactEnded")
    assert len(tenant.facts(f"contact-{visitor.contact}", "ContactEnded")) == 1


async def test_who_nobody_comes_for_may_leave_a_message(tenant: Tenant, tmp_path: Path) -> None:
    """RT-5: voicemail; what is written then is kept."""
    await set_up(tenant, tmp_path)
    visitor = await waiting(tenant, "letter")
    await visitor.status("leave_message")
    await visitor.say("Please call me tomorrow")
    await visitor.send("end", {})
    assert (await visitor.status("ended"))["data"]["reason"] == "self_served"
    flown = await until(tenant, visitor.contact, "ContactOverflowed")
    assert flown.action == config_pb.OVERFLOW_ACTION_VOICEMAIL


async def test_outside_the_hours_a_queue_refuses_and_a_door_takes_a_message(tenant: Tenant, tmp_path: Path) -> None:
    """RT-6: of the queue and of the entry point."""
    await set_up(tenant, tmp_path)

    async def refused() -> bool:  # the row that says so may be on its way to the door
        visitor = await tenant.visitor("night")
        answer = await visitor.send("message", {"kind": "text", "text": "Hello"})
        assert answer["data"].get("reason") == "QUEUE_CLOSED", answer
        return True

    await eventually(refused, within_s=10)
    late = await waiting(tenant, "shut")
    await late.status("leave_message")
    assert tenant.facts(f"contact-{late.contact}", "ContactQueued") == []


async def test_a_supervisor_raises_moves_and_pulls_who_waits(tenant: Tenant, tmp_path: Path) -> None:
    """RT-8: each takes effect at once and is a fact with who and why."""
    await set_up(tenant, tmp_path)
    boss, third = tenant.supervisor, await waiting(tenant, "loud")
    await until(tenant, third.contact, "ContactWaiting")
    moved = {"to_queue": "rare", "reason": "help-out"}
    await boss.done("routing", f"/v1/contacts/{third.contact}:move", moved)
    await until(tenant, third.contact, "ContactWaiting", 2)
    assert outcomes(tenant, third.contact) == [("loud", "FLOWED_OUT")]
    ann = await at_desk(tenant, "ann")  # has not the skill that rare asks
    await boss.done("routing", f"/v1/contacts/{third.contact}:pull", {"agent": "ann", "reason": "knows-it"})
    await ann.takes(third.contact)
    pulled = await tenant.fact("pool-", "ContactPulled")
    assert (pulled.data.reason, pulled.event.meta.actor) == ("knows-it", "supervisor-1")
    early, late = await waiting(tenant, "backup"), await waiting(tenant, "backup")
    for visitor in (early, late):
        await until(tenant, visitor.contact, "ContactWaiting")
    await boss.done("routing", f"/v1/contacts/{late.contact}:raise", {"priority": 9, "reason": "vip"})
    raised = await tenant.fact("pool-", "PriorityRaised")
    assert (raised.data.priority, raised.event.meta.actor) == (9, "supervisor-1")
    bob = await at_desk(tenant, "bob")
    await bob.takes(late.contact)
    assert of(tenant, early.contact, "ContactOffered") == []
    full = await boss.post("routing", f"/v1/contacts/{early.contact}:pull", {"agent": "ann"})
    assert (full.status_code, full.json()["reason"]) == (409, "AGENT_NO_CAPACITY")


async def test_two_agents_are_rung_at_once_and_one_has_it(tenant: Tenant, tmp_path: Path) -> None:
    """RT-2: never two owners; the other's offer is withdrawn."""
    await set_up(tenant, tmp_path)
    ann, bob = await at_desk(tenant, "ann"), await at_desk(tenant, "bob")
    visitor = await waiting(tenant, "loud")
    ringing, taken = await ann.offer(visitor.contact), await bob.offer(visitor.contact)
    await bob.accepts(taken["offer_id"])
    gone = await ann.desk.until("offer_gone", lambda frame: frame["data"]["offer_id"] == ringing["offer_id"])
    assert gone["data"]["reason"] == "withdrawn"
    late = await ann.api.post("routing", f"/v1/offers/{ringing['offer_id']}:accept")
    assert (late.status_code, late.json()["reason"]) == (409, "OFFER_NOT_OPEN")
    withdrawn = await until(tenant, visitor.contact, "OfferWithdrawn")
    await until(tenant, visitor.contact, "ContactAssigned")
    assert len(of(tenant, visitor.contact, "ContactAssigned")) == 1
    assert withdrawn.reason == routing_pb.WITHDRAW_REASON_TAKEN


async def test_a_named_agent_is_tried_first_though_others_are_idle_longer(tenant: Tenant, tmp_path: Path) -> None:
    """RT-3: a transfer to an agent by name."""
    await set_up(tenant, tmp_path)
    ann, bob = await at_desk(tenant, "ann"), await at_desk(tenant, "bob")
    visitor = await waiting(tenant, "backup")
    await ann.takes(visitor.contact)
    cas = await in_pool(tenant, await tenant.agent("cas"))
    to_cas = {"queue": "backup", "agent": "cas"}
    await ann.api.done("ingress_chat", f"/v1/contacts/{visitor.contact}:transfer", to_cas)
    offer = await cas.offer(visitor.contact)
    assert offer["leg"] == 2
    assert not list(bob.desk.of("offer", contact=visitor.contact))


async def test_a_supervisor_forces_an_agents_state_and_the_fact_says_so(tenant: Tenant, tmp_path: Path) -> None:
    """RT-8"""
    await set_up(tenant, tmp_path)
    ann = await at_desk(tenant, "ann")
    why = {"state": "not_ready", "reason": "coaching"}
    await tenant.supervisor.done("agent_state", "/v1/agents/ann:force-state", why)
    await ann.desk.until("state", lambda frame: frame["data"]["reason"] == "coaching")
    fact = await tenant.fact("agent-ann", "AgentNotReady")
    assert (fact.data.reason, fact.data.forced_by) == ("coaching", "supervisor-1")
    stranger = tenant.api("other-boss", ["supervisor"], ["team-9"])
    assert (await stranger.post("agent_state", "/v1/agents/ann:force-state", why)).status_code == 404
