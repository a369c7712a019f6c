"""P6: fields and facts are only added within v1; a reader of today ignores those of tomorrow and loses nothing."""

import golden_bytes
import pytest

from contactcenter import catalogue
from contactcenter.contact.v1 import events_pb2

META = events_pb2.ContactEvent.FromString(
    (golden_bytes.GOLDEN / "contactcenter.contact.v1.ContactHeld.bin").read_bytes()
).meta


def length_delimited(number: int, value: bytes) -> bytes:
    """A field on the wire: tag, length, value (numbers and lengths as varints)."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


@pytest.mark.parametrize("name", sorted(golden_bytes.cases()))
def test_an_unknown_field_is_ignored_and_kept(name: str) -> None:
    """P6"""
    known = golden_bytes.cases()[name]
    value = golden_bytes.encoded(known) + length_delimited(9000, b"of tomorrow")
    read = type(known).FromString(value)
    assert {field.name for field, _ in read.ListFields()} == {field.name for field, _ in known.ListFields()}
    assert read.SerializeToString(deterministic=True) == value


def test_an_unknown_field_inside_a_fact_is_ignored_and_kept() -> None:
    """P6"""
    fact = events_pb2.ContactHeld(leg=2, agent="a1").SerializeToString() + length_delimited(77, b"new")
    value = length_delimited(1, META.SerializeToString()) + length_delimited(19, fact)
    read = events_pb2.ContactEvent.FromString(value)
    assert (read.contact_held.leg, read.contact_held.agent) == (2, "a1")
    assert read.SerializeToString() == value


def test_an_unknown_fact_leaves_its_meta_readable_and_no_known_fact_set() -> None:
    """P6"""
    value = length_delimited(1, META.SerializeToString()) + length_delimited(499, b"\x08\x01")
    read = events_pb2.ContactEvent.FromString(value)
    assert read.WhichOneof("fact") is None
    assert read.meta == META
    assert read.SerializeToString() == value


def test_an_unknown_enum_value_keeps_its_number() -> None:
    """P6"""
    read = events_pb2.ContactEnded.FromString(events_pb2.ContactEnded(leg=1).SerializeToString() + b"\x30\xe7\x07")
    assert read.reason == 999
    assert read.SerializeToString().endswith(b"\x30\xe7\x07")


def test_facts_stand_from_field_ten_on_so_that_the_envelope_can_grow() -> None:
    """P6"""
    for topic in catalogue.TOPICS:
        for fact in topic.facts:
            message = golden_bytes.cases()[fact]
            chosen = message.WhichOneof("fact")
            assert message.DESCRIPTOR.fields_by_name[chosen].number >= 10
            assert message.DESCRIPTOR.fields_by_name["meta"].number == 1
