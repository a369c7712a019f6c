"""Lines as people write them: what is taken, and what is refused with which words (CH-7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from analytics.app import feedlines
from analytics.app.feedlines import Refused, read_line
from analytics.app.lines import Pace, Splitter, batches
from switchlog.errors import Poison
from switchlog.ids import derived

NOW = 1_800_000_000_000
GOOD = {
    "source": "pbx-1",
    "id": "l1",
    "at": "2026-01-05T10:00:00.1239+08:00",
    "fact": "contact_queued",
    "contact": "c1",
    "queue": "sales",
}


def read(**more: Any) -> feedlines.Accepted:
    fields = {name: value for name, value in (GOOD | more).items() if value is not ...}
    return read_line(msgspec.json.encode(fields), NOW, {"lang"})


def test_a_good_line_is_read_with_its_time_cut_to_milliseconds():
    source, line, left_out = read(channel="chat", priority=3, agent=None, team="")
    assert (source, line.line_id, line.fact, line.contact, line.queue) == (
        "pbx-1",
        "l1",
        "contact_queued",
        "c1",
        "sales",
    )
    assert (line.at, line.channel, line.priority, line.agent, left_out) == (1767578400123, "chat", 3, "", 0)


def test_a_line_without_an_id_gets_the_same_one_each_time():
    line = read(id=...).line
    assert line.line_id == derived("pbx-1", 1767578400123, "contact_queued", "c1", "")
    assert read(id="").line == line
    assert read(id=..., contact="c2").line.line_id != line.line_id


def test_attributes_that_nobody_declared_are_left_out_and_counted():
    _, line, left_out = read(attributes={"lang": "zh", "phone": "13800000000"})
    assert (line.attributes, left_out) == ((("lang", "zh"),), 1)


def test_every_fact_of_the_interface_can_be_read():
    needs = {"outcome": "answered", "score": 5, "amount": 1.5, "currency": "CNY", "agent": "a1"}
    needs |= {"from": "2026-01-05T09:00:00Z", "to": "2026-01-05T17:00:00Z"}
    assert [read(fact=fact, **needs).line.fact for fact in feedlines.FACTS] == list(feedlines.FACTS)
    assert len(feedlines.FACTS) == 28


def test_amounts_are_exact():
    assert read(fact="cost_booked", amount="0.1", currency="CNY").line.amount_micros == 100_000
    assert read(fact="cost_booked", amount=12, currency="CNY").line.amount_micros == 12_000_000


@pytest.mark.parametrize(
    "more, reason, words",
    [
        ({"at": "2026-01-05T10:00:00"}, "BAD_FIELD", "at: "),
        ({"at": 5}, "BAD_FIELD", "at: "),
        ({"at": "1931-01-05T10:00:00Z"}, "BAD_FIELD", "before 1970"),
        ({"at": "2099-01-05T10:00:00Z"}, "IN_FUTURE", "a day ahead"),
        ({"at": ...}, "BAD_FIELD", "at"),
        ({"fact": "contact_queue"}, "BAD_FIELD", "fact: "),
        ({"source": "p b x"}, "BAD_FIELD", "source: "),
        ({"source": "x" * 56}, "BAD_FIELD", "source: "),
        ({"contact": ...}, "MISSING_FIELD", "contact_queued needs contact"),
        ({"queue": None}, "MISSING_FIELD", "contact_queued needs queue"),
        ({"queue": "售前"}, "BAD_FIELD", "queue: "),
        ({"queue": "sales\n"}, "BAD_FIELD", "queue: "),
        ({"queue": 7}, "BAD_FIELD", "queue: "),
        ({"agnet": "a1"}, "BAD_FIELD", "agnet"),
        ({"channel": "telex"}, "BAD_FIELD", "channel: "),
        ({"fact": "agent_ready"}, "MISSING_FIELD", "agent_ready needs agent"),
        ({"fact": "contact_dequeued"}, "MISSING_FIELD", "needs outcome"),
        ({"fact": "contact_dequeued", "outcome": "lost"}, "BAD_FIELD", "outcome: "),
        ({"fact": "survey_answered"}, "MISSING_FIELD", "needs score"),
        ({"fact": "survey_answered", "score": 4.5}, "BAD_FIELD", "score: "),
        ({"fact": "shift_planned", "agent": "a", "from": "2026-01-05T10:00:00Z"}, "MISSING_FIELD", "needs to"),
        (
            {"fact": "shift_planned", "agent": "a", "from": "2026-01-05T10:00:00Z", "to": "2026-01-05T09:00:00Z"},
            "BAD_FIELD",
            "to: before from",
        ),
        ({"fact": "cost_booked", "amount": "NaN", "currency": "CNY"}, "BAD_FIELD", "amount"),
        ({"fact": "cost_booked", "amount": "1e400", "currency": "CNY"}, "BAD_FIELD", "amount"),
        ({"fact": "cost_booked", "amount": 1, "currency": "yuan"}, "BAD_FIELD", "currency: "),
        ({"attributes": {"lang": 5}}, "BAD_FIELD", "attributes"),
        ({"attributes": {f"k{n}": "v" for n in range(17)}}, "BAD_FIELD", "more than 16"),
        ({"id": "x" * 129}, "BAD_FIELD", "id: "),
        ({"reason": "x" * 70_000}, "TOO_LONG", "65536 bytes"),
    ],
)
def test_a_bad_line_is_refused_by_name(more: dict, reason: str, words: str):
    with pytest.raises(Refused) as refused:
        read(**more)
    assert refused.value.reason == reason and words in refused.value.detail


@pytest.mark.parametrize(
    "text, reason",
    [
        (b"{", "BAD_JSON"),
        (b"null", "BAD_FIELD"),
        (b"[1]", "BAD_FIELD"),
        (b'{"source":"p\xff"}', "BAD_UTF8"),
        (b"\xfe\xff\x00{", "BAD_UTF8"),
        (b"[" * 50_000, "BAD_FIELD"),
        (b'{"source":' + b'{"a":' * 10_000, "BAD_FIELD"),
        (b'{"attributes":' + b'{"a":' * 10_000, "BAD_FIELD"),
        (b'{"x":' + b"[" * 30_000, "BAD_FIELD"),
    ],
)
def test_what_is_no_line_is_refused(text: bytes, reason: str):
    with pytest.raises(Refused) as refused:
        read_line(text, NOW)
    assert refused.value.reason == reason


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_body_splits_alike_wherever_it_is_cut(size: int):
    body = b"\xef\xbb\xbf{1}\r\n\n  {3}\n{4}"
    splitter, found = Splitter(), []
    for place in range(0, len(body), size):
        found += splitter.split(body[place : place + size])
    assert found + splitter.rest() == [(1, b"{1}"), (3, b"{3}"), (4, b"{4}")]


def test_a_huge_line_is_cut_off_and_the_next_one_read():
    splitter, found = Splitter(), []
    for _ in range(100):
        found += splitter.split(b"x" * 10_000)
        assert len(splitter.tail) <= feedlines.MOST_BYTES + 1
    found += splitter.split(b"\n{2}\n")
    assert [(number, len(line)) for number, line in found] == [(1, feedlines.MOST_BYTES + 1), (2, 3)]


async def chunks(*parts: bytes):
    for part in parts:
        yield part


async def test_batches_come_as_they_fill():
    async def spend(_: int) -> None: ...

    body = b"".join(b'{"n":%d}\n' % n for n in range(9_000))
    sizes = [len(batch) async for batch in batches(chunks(body[:40_000], body[40_000:], b"{}"), spend)]
    assert sum(sizes) == 9_001 and sizes[0] >= 4_000


async def test_silence_ends_a_body(monkeypatch: pytest.MonkeyPatch):
    import asyncio

    from analytics.app import lines

    monkeypatch.setattr(lines, "SILENCE_S", 0.01)

    async def silent():
        yield b"{}"
        await asyncio.sleep(5)

    async def spend(_: int) -> None: ...

    with pytest.raises(Poison, match="BODY_TOO_SLOW"):
        [batch async for batch in batches(silent(), spend)]


async def test_whoever_sends_too_fast_is_read_more_slowly_and_others_are_not(monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("analytics.app.lines.asyncio.sleep", sleep)
    now = [100.0]
    pace = Pace(1000, lambda: now[0])
    for _ in range(4):
        await pace.spend("acme", 500)
    await pace.spend("other", 900)
    assert waits == [0.5, 1.0]
    now[0] += 10
    await pace.spend("acme", 500)
    assert len(waits) == 2
