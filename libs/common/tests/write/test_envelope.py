"""Rows, records and ids as strangers are promised them (contracts: Identity, Envelope)."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from contactcenter.bus.v1 import envelope_pb2
from switchlog import ids
from switchlog.envelope import Cause, Source, StreamId, compose, timestamp
from switchlog.errors import Poison, Rejected

from .tally import Counted, SeatTaken, TallyMessage, codec, stream

NOW = 1_764_030_896_789


def rows():
    cause = Cause(
        "c" * 32, "digest", "agent-1", "cause-1", "contact-1", "00-aa-bb-01", Source("acme/contact-1", 7, 1, "r")
    )
    decided = [
        (cause, [Counted("a"), SeatTaken("a")]),
        (Cause("d" * 32, "", "agent-1", occurred_at=NOW - 5), [Counted("b")]),
    ]
    return compose(stream(), 4, decided, codec(), "batch", NOW)


def test_a_row_holds_exactly_what_is_published_and_what_only_the_store_knows() -> None:
    row = rows()[1]
    message = TallyMessage.FromString(row.value)
    assert (row.version, row.batch_id, row.command_id, row.request_sha256) == (6, "batch", "c" * 32, "digest")
    assert row.source == "acme/contact-1#7#1#r"
    assert row.type == "switchlog.tests.v1.SeatTaken"
    assert message.seat_taken.by == "a"
    meta = message.meta
    assert (meta.tenant_id, meta.stream, meta.version, meta.event_id) == ("acme", "tally-1", 6, row.event_id)
    assert (meta.causation_id, meta.correlation_id, meta.actor, meta.traceparent) == (
        "cause-1",
        "contact-1",
        "agent-1",
        "00-aa-bb-01",
    )
    assert meta.occurred_at.ToMilliseconds() == meta.recorded_at.ToMilliseconds() == row.recorded_at == NOW


def test_headers_follow_the_cloudevents_binding() -> None:
    assert dict(rows()[1].headers) == {
        "ce_specversion": b"1.0",
        "ce_id": rows()[1].event_id.encode(),
        "ce_type": b"switchlog.tests.v1.SeatTaken",
        "ce_dataschema": b"switchlog.tests.v1.TallyEvent",
        "ce_source": b"/switchlog/tally",
        "ce_subject": b"tally-1",
        "ce_time": b"2025-11-25T00:34:56.789Z",
        "ce_tenantid": b"acme",
        "ce_streamversion": b"6",
        "content-type": b"application/protobuf",
        "traceparent": b"00-aa-bb-01",
    }


def test_what_was_not_given_has_honest_defaults() -> None:
    row = rows()[2]
    meta = TallyMessage.FromString(row.value).meta
    assert meta.occurred_at.ToMilliseconds() == NOW - 5
    assert meta.recorded_at.ToMilliseconds() == NOW
    assert (meta.causation_id, meta.correlation_id) == ("d" * 32, "tally-1")
    assert "traceparent" not in dict(row.headers)
    assert row.source == ""


def test_a_retry_makes_the_same_bytes() -> None:
    """P5."""
    assert rows() == rows()


def test_event_ids_are_what_a_stranger_computes() -> None:
    expected = uuid.uuid5(ids.NS_SWITCHLOG, f"acme|tally-1|{'c' * 32}|1").hex
    assert rows()[1].event_id == expected == ids.event_id("acme", "tally-1", "c" * 32, 1)


def test_the_namespace_is_the_published_one() -> None:
    """The file option `ns_switchlog` of contactcenter/bus/v1/envelope.proto."""
    options_pb2 = pytest.importorskip("contactcenter.bus.v1.options_pb2")
    published = envelope_pb2.DESCRIPTOR.GetOptions().Extensions[options_pb2.ns_switchlog]
    assert published == str(ids.NS_SWITCHLOG)


def test_derived_ids_are_uuid5() -> None:
    """RFC 9562, written out: sha1 of namespace and name."""
    digest = bytearray(hashlib.sha1(ids.NS_SWITCHLOG.bytes + b"a|1|b", usedforsecurity=False).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x50, digest[8] & 0x3F | 0x80
    assert ids.derived("a", 1, "b") == digest.hex()


def test_fresh_ids_are_ordered_by_time() -> None:
    made = [ids.new_id() for _ in range(100)]
    assert made == sorted(set(made))


@pytest.mark.parametrize("text", ["", "-a", "a/b", "a:b", "a" * 65, "a\n", "é"])
def test_what_is_no_id_is_refused_as_bad_input(text: str) -> None:
    with pytest.raises(Rejected) as refusal:
        ids.checked_id(text)
    assert refusal.value.invalid


def test_a_stream_key_and_a_source_come_back_as_they_were() -> None:
    assert StreamId.parse(stream().key) == stream()
    for source in (Source("acme/contact-1", 7), Source("acme/contact-1", 7, 2, "when_contact_queued")):
        assert Source.parse(str(source)) == source
    assert Source.parse("") is None
    with pytest.raises(Poison):
        StreamId.parse("no-tenant")


@pytest.mark.parametrize("at", [0, 999, 1_000, NOW, 4_102_444_800_001])
def test_timestamps_are_utc_with_three_decimals(at: int) -> None:
    from datetime import UTC, datetime

    assert timestamp(at).endswith("Z")
    assert datetime.fromisoformat(timestamp(at)) == datetime.fromtimestamp(at // 1000, UTC).replace(
        microsecond=at % 1000 * 1000
    )
