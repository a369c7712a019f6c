"""What was once on a topic can be read for ever, and is written the same for ever (P5, P6, PL-4)."""

from pathlib import Path

import golden_bytes
import pytest
from google.protobuf import json_format, unknown_fields
from google.protobuf.message import Message

from contactcenter import catalogue
from contactcenter.contact.v1 import events_pb2

FILES = sorted(golden_bytes.GOLDEN.glob("*.bin"))


def decoded(path: Path) -> Message:
    return golden_bytes.value_class(path.stem.partition("@")[0]).FromString(path.read_bytes())


def is_whole(message: Message) -> bool:
    """No field at any depth is unknown to today's contracts."""
    inner = [
        each
        for field, value in message.ListFields()
        if field.message_type is not None
        for each in (value if field.is_repeated else [value])
    ]
    return len(unknown_fields.UnknownFieldSet(message)) == 0 and all(map(is_whole, inner))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_bytes_decode_to_what_their_json_says(path: Path) -> None:
    message = decoded(path)
    said = json_format.Parse(path.with_suffix(".json").read_text("utf-8"), type(message)())
    assert message == said
    assert is_whole(message)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_bytes_are_encoded_the_same_today(path: Path) -> None:
    assert golden_bytes.encoded(decoded(path)) == path.read_bytes()
    assert golden_bytes.as_json(decoded(path)) == path.with_suffix(".json").read_text("utf-8")


def test_every_fact_and_row_with_all_its_fields_has_golden_bytes() -> None:
    assert [path.stem for path in golden_bytes.missing()] == [], "make proto writes them"


def test_every_fact_of_the_catalogue_is_a_case() -> None:
    facts = {fact for topic in catalogue.TOPICS for fact in topic.facts}
    rows = {topic.message for topic in catalogue.TOPICS if not topic.facts and not topic.internal}
    assert len(facts) >= 96
    assert facts | rows <= set(golden_bytes.cases())


def test_no_golden_file_belongs_to_nothing() -> None:
    names = {path.stem.partition("@")[0] for path in FILES}
    assert names == set(golden_bytes.cases())


def test_a_new_fact_or_field_without_golden_bytes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [path for path in FILES if not path.stem.endswith("ContactQueued")]
    for path in kept:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    grown = tmp_path / "contactcenter.contact.v1.ContactHeld.bin"
    grown.write_bytes(golden_bytes.encoded(events_pb2.ContactEvent(contact_held=events_pb2.ContactHeld(leg=1))))
    monkeypatch.setattr(golden_bytes, "GOLDEN", tmp_path)
    assert sorted(path.stem for path in golden_bytes.missing()) == [
        "contactcenter.contact.v1.ContactHeld@2",
        "contactcenter.contact.v1.ContactQueued",
    ]


def test_a_sample_fills_every_field_of_its_fact() -> None:
    message = golden_bytes.cases()["contactcenter.routing.v1.ContactOffered"]
    offered = message.contact_offered  # type: ignore[attr-defined]
    assert {field.name for field, _ in offered.ListFields()} == {field.name for field in offered.DESCRIPTOR.fields}
