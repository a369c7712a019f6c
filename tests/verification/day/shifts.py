"""Agents: they come, work, take breaks and go; each leaves a ledger."""

from __future__ import annotations

from contactcenter.agent.v1 import events_pb2 as pb

from .world import CHANNELS, MINUTE, Agent, Contact, S, World, stamp

READY_AGAIN = 5 * S


def hire(world: World, agent: Agent, start: int, end: int) -> None:
    """An agent with standing data, who works from ``start`` to ``end``."""
    world.agents.append(agent)
    who = {"agent": agent.id, "team": agent.team}
    world.agent(agent, pb.AgentRegistered(agent=agent.id, name=agent.id, wrap_up_ms=2 * MINUTE))
    world.agent(agent, pb.TeamAssigned(agent=agent.id, team=agent.team))
    world.agent(agent, pb.CapacitySet(**who, capacities=_capacities(agent)))
    standing = pb.AgentStanding(capacities=_capacities(agent), state=pb.AGENT_STATE_SIGNED_OUT)
    world.agent(agent, pb.JoinedPool(**who, pool=agent.pool, standing=standing))
    world.at(start, sign_in, world, agent, end)


def _capacities(agent: Agent) -> list[pb.ChannelCapacity]:
    return [pb.ChannelCapacity(channel=CHANNELS[agent.channel], slots=agent.slots)]


def terms(agent: Agent) -> dict[str, str]:
    """What stands in every fact of an agent."""
    return {"agent": agent.id, "pool": agent.pool, "team": agent.team}


def sign_in(world: World, agent: Agent, end: int) -> None:
    world.agent(agent, pb.AgentSignedIn(**terms(agent)))
    agent.present = True
    world.after(world.about(20 * S), check_in, world, agent)
    world.at(end, leave, world, agent)


def check_in(world: World, agent: Agent) -> None:
    world.agent(agent, pb.AgentCheckedIn(**terms(agent), mode=pb.AGENT_MODE_WEB))
    world.after(world.about(10 * S), be_ready, world, agent, False)
    world.after(world.about(70 * MINUTE), pause, world, agent)


def be_ready(world: World, agent: Agent, automatic: bool) -> None:
    if not agent.present or agent.leaving or agent.ready:
        return
    agent.ready = True
    world.agent(agent, pb.AgentReady(**terms(agent), automatic=automatic))
    world.after(15, world.match, agent.pool)


def not_ready(world: World, agent: Agent, reason: str, planned: bool, ms: int) -> None:
    """Away from offers for ``ms``; contacts in hand go on."""
    if not agent.present or not agent.ready:
        return
    agent.ready = False
    world.agent(agent, pb.AgentNotReady(**terms(agent), reason=reason, planned=planned))
    world.after(ms, be_ready, world, agent, False)


def pause(world: World, agent: Agent) -> None:
    if agent.present and not agent.leaving:
        not_ready(world, agent, "lunch" if world.happens(0.3) else "break", world.happens(0.5), world.about(8 * MINUTE))
        world.after(world.about(90 * MINUTE), pause, world, agent)


def leave(world: World, agent: Agent) -> None:
    """Home, once nothing is in hand."""
    agent.leaving = True
    if agent.works or agent.ringing:
        world.after(10 * S, leave, world, agent)
        return
    if agent.ready:
        agent.ready = False
        world.agent(agent, pb.AgentNotReady(**terms(agent), reason="end_of_shift", planned=True))
    world.agent(agent, pb.AgentCheckedOut(**terms(agent)))
    world.after(world.about(30 * S), gone, world, agent)


def gone(world: World, agent: Agent) -> None:
    agent.present = False
    world.agent(agent, pb.AgentSignedOut(**terms(agent)))


# --- work ------------------------------------------------------------------------------------------------------------


def leg_of(contact: Contact) -> dict[str, object]:
    """The leg as agents' facts name it, fixed now: the contact may go on to the next."""
    channel = CHANNELS[contact.channel]
    return {"contact": contact.id, "leg": contact.leg, "queue": contact.queue.name, "channel": channel}


def start_work(world: World, agent: Agent, contact: Contact) -> None:
    agent.works.add(f"{contact.id}/{contact.leg}")
    world.agent(agent, pb.WorkStarted(**terms(agent), **leg_of(contact)))


def end_work(world: World, agent: Agent, leg: dict[str, object], wrap_up: bool) -> None:
    """The conversation is over; with a wrap-up its slot is held on."""
    world.agent(agent, pb.WorkEnded(**terms(agent), **leg, wrap_up_follows=wrap_up))
    if not wrap_up:
        return _release(world, agent, leg)
    ends_at = stamp(world.now + 2 * MINUTE)
    world.agent(agent, pb.WrapUpStarted(**terms(agent), **leg, ends_at=ends_at))
    took = world.about(25 * S)
    by = pb.WRAP_UP_ENDED_BY_AGENT if took < 2 * MINUTE else pb.WRAP_UP_ENDED_BY_TIMEOUT
    world.after(min(took, 2 * MINUTE), end_wrap_up, world, agent, leg, by)


def end_wrap_up(world: World, agent: Agent, leg: dict[str, object], by: int) -> None:
    world.agent(agent, pb.WrapUpEnded(**terms(agent), **leg, by=by))
    _release(world, agent, leg)


def _release(world: World, agent: Agent, leg: dict[str, object]) -> None:
    agent.works.discard(f"{leg['contact']}/{leg['leg']}")
    world.after(12, world.match, agent.pool)
