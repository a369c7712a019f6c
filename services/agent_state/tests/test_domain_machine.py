"""An agent and its pool under any interleaving: never over capacity, and the ledger partitions time (CH-2, AG-6)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent_state.domain.commands import (
    AgentCommand,
    BeNotReady,
    BeReady,
    CheckIn,
    CheckOut,
    EndWork,
    EndWrapUp,
    RegisterAgent,
    SignIn,
    SignOut,
    StartWork,
)
from agent_state.domain.decide import AGENT
from agent_state.domain.events import (
    AgentCheckedIn,
    AgentCheckedOut,
    AgentEvent,
    AgentNotReady,
    AgentReady,
    Capacity,
    Card,
    EndedBy,
    Leg,
    Mode,
    Slots,
    WorkEnded,
    WrapUpEnded,
    WrapUpStarted,
)
from agent_state.domain.ledger import ledger
from agent_state.domain.state import Agent, activity
from switchlog.decider import Rejected

SLOTS = 2
START = 1_750_000_000_000


def frees(event: AgentEvent) -> bool:
    return isinstance(event, WrapUpEnded) or (isinstance(event, WorkEnded) and not event.wrap_up_follows)


class AgentAndPool(RuleBasedStateMachine):
    """The pool sees the agent's facts late and gives work by what it has seen; commands come whenever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.state = AGENT.initial
        self.now = START
        self.history: list[AgentEvent] = []
        self.unseen: list[AgentEvent] = []  # published, not yet read by the pool
        self.assigned: list[Leg] = []  # by the pool, not yet heard of by the agent's stream
        self.taken = 0  # slots that the pool believes taken
        self.may_offer = False
        self.legs = 0
        self.open: list[Leg] = []  # not yet ended by its contact
        self.deadlines: list[WrapUpStarted] = []

    def give(self, command: AgentCommand) -> Sequence[AgentEvent]:
        try:
            events = AGENT.decide(command, self.state, self.now)
        except Rejected:
            return []
        for event in events:
            self.state = AGENT.evolve(self.state, event)
            self.history.append(event)
        self.unseen += events
        self.deadlines += [event for event in events if isinstance(event, WrapUpStarted)]
        return events

    @initialize(wrap_up_ms=st.sampled_from([0, 5_000]), auto_ready=st.booleans())
    def register(self, wrap_up_ms: int, auto_ready: bool) -> None:
        self.give(
            RegisterAgent("ann", Card("Ann", wrap_up_ms, auto_ready), "t1", "p", (), Capacity((Slots("chat", SLOTS),)))
        )
        for command in (SignIn(), CheckIn(Mode.WEB), BeReady()):  # the interesting part begins here
            self.give(command)
        while self.unseen:
            self.pool_reads_a_fact()

    @rule(milliseconds=st.integers(0, 10_000))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(
        command=st.sampled_from(
            [SignIn(), CheckIn(Mode.WEB), BeReady(), BeNotReady("lunch"), EndWrapUp(), CheckOut(), SignOut()]
        )
    )
    def agent_acts(self, command: AgentCommand) -> None:
        self.give(command)

    @precondition(lambda self: self.unseen)
    @rule()
    def pool_reads_a_fact(self) -> None:
        match self.unseen.pop(0):
            case AgentReady():
                self.may_offer = True
            case AgentNotReady() | AgentCheckedIn() | AgentCheckedOut():
                self.may_offer = False
            case WorkEnded(wrap_up_follows=False) | WrapUpEnded():  # the only facts that free a slot (kernel rule 24)
                self.taken -= 1
                assert self.taken >= 0, "a slot came back twice"
            case _:
                pass

    @precondition(lambda self: self.may_offer and self.taken < SLOTS)
    @rule()
    def pool_assigns(self) -> None:
        self.legs += 1
        leg = Leg(f"c{self.legs}", 1, "q", "chat")
        self.taken += 1
        self.assigned.append(leg)
        self.open.append(leg)

    @precondition(lambda self: self.assigned)
    @rule()
    def assignment_arrives(self) -> None:
        self.give(StartWork(self.assigned.pop(0)))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), twice=st.booleans())
    def contact_ends(self, data: st.DataObject, twice: bool) -> None:
        """Perhaps before its assignment arrived, perhaps told twice."""
        leg = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.give(EndWork(leg))
        if twice:
            assert self.give(EndWork(leg)) == []

    @precondition(lambda self: self.deadlines)
    @rule()
    def a_wrap_up_timer_fires(self) -> None:
        due = self.deadlines.pop(0)
        self.now = max(self.now, due.ends_at)
        self.give(EndWrapUp(due.work.contact, due.work.leg, EndedBy.TIMEOUT))

    @invariant()
    def never_over_capacity(self) -> None:
        if isinstance(self.state, Agent):
            assert self.state.free_slots("chat") >= 0, self.state.works

    @invariant()
    def a_slot_comes_back_exactly_once(self) -> None:
        """What the pool believes, corrected by what is on its way, is what the agent has in hand."""
        works = self.state.works if isinstance(self.state, Agent) else ()
        coming = sum(frees(event) for event in self.unseen)
        over = set(self.state.over) if isinstance(self.state, Agent) else set()
        known = {work.id for work in works} | over
        unheard = sum((leg.contact, leg.leg) not in known for leg in self.assigned)
        assert self.taken - coming == len(works) + unheard

    @invariant()
    def the_ledger_partitions_time(self) -> None:
        if not self.history:
            return
        spans = ledger(self.history, self.now)
        edges = [spans[0].start, *(span.end for span in spans)] if spans else []
        assert [span.start for span in spans] == edges[:-1]
        assert sum(span.end - span.start for span in spans) == self.now - self.history[0].stamp.at
        if spans and spans[-1].end > self.history[-1].stamp.at:
            assert spans[-1].activity == activity(self.state)


TestAgentAndPool = AgentAndPool.TestCase
TestAgentAndPool.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
