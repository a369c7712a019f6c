"""The rule book of a chat contact, given / when / then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingress_chat.domain.commands import (
    ConnectAgent,
    ContactCommand,
    EndByAgent,
    EndByCustomer,
    Place,
    ReceiveMessage,
    RequeueContact,
    SendMessage,
    StartContact,
    TransferContact,
)
from ingress_chat.domain.decide import CONTACT
from ingress_chat.domain.events import (
    AgentConnected,
    AgentDisconnected,
    ContactAbandoned,
    ContactEnded,
    ContactQueued,
    ContactStarted,
    ContactTransferred,
    CustomerDisconnected,
    EndReason,
    LegEnd,
    Message,
    MessageKind,
    MessageReceived,
    MessageSent,
    TransferKind,
)
from switchlog.testing import DeciderTest

NOW = 1_750_000_000_000
PLACE = Place("sales", "front")
BACK_OFFICE = Place("billing", "back")
contact = DeciderTest(CONTACT)
started = ContactStarted("site", "cust-1", "en")
queued = ContactQueued(1, "sales", "front", NOW, locale="en")
connected = AgentConnected(1, "sales", "front", "ann", "t1")
disconnected = AgentDisconnected(1, "sales", "front", "ann", "t1", LegEnd.AGENT_ENDED)
ended = ContactEnded(EndReason.AGENT_ENDED, 1, "sales", "front", "ann", "t1")


def text(message_id: str) -> Message:
    return Message(message_id, MessageKind.TEXT)


heard = MessageReceived(text("m1"))
again = ContactQueued(2, "billing", "back", NOW, locale="en", from_queue="sales", from_pool="front")
talking = (started, heard, queued, connected)


def test_first_message_queues_the_contact() -> None:
    """CH-1"""
    contact.given(started).when(ReceiveMessage(text("m1"), PLACE), NOW).then(heard, queued)


def test_second_message_is_only_received() -> None:
    expected = MessageReceived(text("m2"), 1, "sales", "front")
    contact.given(started, heard, queued).when(ReceiveMessage(text("m2"), PLACE), NOW).then(expected)


@pytest.mark.parametrize("history", [(started, heard, queued), talking, (*talking, disconnected, ended)])
def test_a_resent_message_changes_nothing(history: tuple[object, ...]) -> None:
    """CH-6"""
    contact.given(*history).when(ReceiveMessage(text("m1"), PLACE), NOW).then()


def test_message_after_the_end_is_refused() -> None:
    contact.given(*talking, disconnected, ended).when(ReceiveMessage(text("m9"), PLACE), NOW).then_rejected(
        "CONTACT_ENDED"
    )


def test_assigned_agent_is_connected() -> None:
    contact.given(started, heard, queued).when(ConnectAgent(1, "sales", "ann", "t1"), NOW).then(connected)


def test_a_second_assignment_of_the_same_leg_is_ignored() -> None:
    """RT-2: never two owners."""
    contact.given(*talking).when(ConnectAgent(1, "sales", "bob"), NOW).then()


def test_only_the_connected_agent_may_write() -> None:
    sent = MessageSent(text("m2"), 1, "sales", "front", "ann", "t1")
    contact.given(*talking).when(SendMessage(text("m2"), "ann"), NOW).then(sent)
    contact.given(*talking).when(SendMessage(text("m2"), "bob"), NOW).then_rejected("NOT_YOUR_CONTACT")


def test_visitor_who_leaves_while_waiting_has_abandoned() -> None:
    contact.given(started, heard, queued).when(EndByCustomer(), NOW).then(
        CustomerDisconnected(1, "sales", "front", LegEnd.CUSTOMER_ENDED),
        ContactAbandoned(1, "sales", "front"),
        ContactEnded(EndReason.ABANDONED, 1, "sales", "front"),
    )


def test_visitor_lost_in_conversation_ends_the_leg() -> None:
    """CH-6"""
    contact.given(*talking).when(EndByCustomer(lost=True), NOW).then(
        CustomerDisconnected(1, "sales", "front", LegEnd.LOST, "ann", "t1"),
        replace(disconnected, reason=LegEnd.LOST),
        ContactEnded(EndReason.CUSTOMER_LOST, 1, "sales", "front", "ann", "t1"),
    )


def test_visitor_who_never_wrote_is_not_counted_as_waiting() -> None:
    contact.given(started).when(EndByCustomer(), NOW).then(
        CustomerDisconnected(0, "", "", LegEnd.CUSTOMER_ENDED), ContactEnded(EndReason.NEVER_QUEUED)
    )


def test_agent_ends_the_conversation_once() -> None:
    contact.given(*talking).when(EndByAgent("ann"), NOW).then(disconnected, ended)
    contact.given(*talking, disconnected, ended).when(EndByAgent("ann"), NOW).then()


def test_transfer_opens_a_new_leg_in_the_other_queue() -> None:
    """CA-1"""
    contact.given(*talking).when(TransferContact("ann", TransferKind.BLIND, BACK_OFFICE), NOW).then(
        ContactTransferred(1, "sales", "front", "ann", "t1", TransferKind.BLIND, "billing", "back"),
        replace(disconnected, reason=LegEnd.TRANSFERRED),
        again,
    )


def test_overflow_requeues_the_waiting_leg_once() -> None:
    """RT-5"""
    waiting = (started, heard, queued)
    contact.given(*waiting).when(RequeueContact(1, BACK_OFFICE), NOW).then(again)
    moved = (*waiting, again)
    contact.given(*moved).when(RequeueContact(1, BACK_OFFICE), NOW).then()


@pytest.mark.parametrize("command", [EndByAgent("ann"), EndByCustomer(), ReceiveMessage(text("m1"), PLACE)])
def test_nothing_but_a_start_begins_a_contact(command: ContactCommand) -> None:
    contact.given().when(command, NOW).then_rejected("CONTACT_NOT_STARTED")


def test_a_second_start_changes_nothing() -> None:
    contact.given(started).when(StartContact("site", "cust-1", "en"), NOW).then()


def test_agent_who_is_faster_than_the_connection_is_told_to_ask_again() -> None:
    waiting = (started, heard, queued)
    contact.given(*waiting).when(SendMessage(text("m2"), "ann"), NOW).then_rejected("NOT_CONNECTED_YET")
    contact.given(*waiting).when(EndByAgent("ann"), NOW).then_rejected("NOT_CONNECTED_YET")
