"""Makes TOPICS.md and asyncapi.yaml from the contracts, or checks that those committed are what would be made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import described
import yaml
from described import Contracts, Enum, Field, Message
from generate_stubs import PROTO

from contactcenter import catalogue

Json = dict[str, Any]

DAY_MS = catalogue.DAY_MS
HEADERS = {
    "ce_specversion": "Version of CloudEvents: `1.0`.",
    "ce_id": "The event's id; the same for every repeat.",
    "ce_type": "Full name of the fact.",
    "ce_dataschema": "Full name of the message that the value is.",
    "ce_source": "`/switchlog/<service>`: ask this service's EventLogService for what was missed.",
    "ce_subject": "The stream within the tenant.",
    "ce_time": "occurred_at, RFC 3339 in UTC with 3 decimals.",
    "ce_tenantid": "The tenant.",
    "ce_streamversion": "The place in the stream, from 1 without holes.",
    "content-type": "`application/protobuf`.",
    "traceparent": "W3C trace context of the append.",
}
SCALARS: dict[str, Json] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "double": {"type": "number"},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}


def topics_md(contracts: Contracts) -> str:
    """The catalogue for people."""
    topics = list(catalogue.TOPICS)
    lines = [
        "# Topics",
        "",
        "Made from the contracts by `make topics`; do not edit. What is promised about them stands in `README.md`.",
        "Every topic: key as text in UTF-8, murmur2 partitioner, `message.timestamp.type=LogAppendTime`,",
        f"`max.message.bytes={catalogue.MAX_MESSAGE_BYTES}`. Partition counts and keys never change within a version.",
        "",
        "| topic | value | key | partitions | kept | data | owner |",
        "|---|---|---|---|---|---|---|",
        *(_topic_line(topic) for topic in topics),
        "| `<topic>.dead.<group>` | as origin | as origin | 6 | 14 d | as origin | the group's service |",
    ]
    for topic in topics:
        lines += ["", *_topic_section(topic, contracts)]
    return "\n".join(lines) + "\n"


def _topic_line(topic: catalogue.Topic) -> str:
    name = f"`{topic.name}`" + (" (internal)" if topic.internal else "")
    said = (f"`{topic.message}`", f"`{topic.key}`", topic.partitions, _kept(topic), topic.data_class, topic.owner)
    return " | ".join(("| " + name, *map(str, said))) + " |"


def _kept(topic: catalogue.Topic) -> str:
    return "compacted" if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS} d"


def _topic_section(topic: catalogue.Topic, contracts: Contracts) -> list[str]:
    message = contracts.messages[topic.message]
    head = [f"## {topic.name}", "", f"{message.comment} Defined in `{message.file}`.", ""]
    if topic.facts:
        rows = [_fact_line(field, contracts.messages[field.type]) for field in message.fields if field.oneof == "fact"]
        return [*head, "| field | fact | | its fields |", "|---|---|---|---|", *rows]
    return [*head, "| field | name | type | |", "|---|---|---|---|", *(_field_line(field) for field in message.fields)]


def _fact_line(field: Field, fact: Message) -> str:
    names = " ".join(f"`{each.name}`" for each in fact.fields)
    return f"| {field.number} | `{fact.short}` | {_cell(fact.comment)} | {names} |"


def _field_line(field: Field) -> str:
    kind = field.type.rpartition(".")[2] + ("[]" if field.repeated else "")
    return f"| {field.number} | `{field.name}` | {kind} | {_cell(field.comment)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def asyncapi(contracts: Contracts) -> Json:
    """The AsyncAPI 3.1 document: one channel a topic, one message a fact."""
    topics = [topic for topic in catalogue.TOPICS if not topic.internal]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Switchlog",
            "version": "1.0.0",
            "description": "The public topics of a contact centre whose truth is a log. Values are protobuf; the "
            "schemas here show their JSON form (snake_case names, lower-case enum words).",
        },
        "defaultContentType": "application/protobuf",
        "servers": {
            "local": {"host": "127.0.0.1:19092", "protocol": "kafka", "description": "`make up` on one machine."}
        },
        "channels": {topic.name: _channel(topic, contracts) for topic in topics},
        "operations": {f"publish.{topic.name}": _operation(topic) for topic in topics},
        "components": {
            "messages": {name: body for topic in topics for name, body in _messages(topic, contracts).items()},
            "messageTraits": {"cloudevent": {"headers": _headers()}},
            "schemas": _schemas([topic.message for topic in topics], contracts),
        },
    }


def _channel(topic: catalogue.Topic, contracts: Contracts) -> Json:
    return {
        "address": topic.name,
        "description": contracts.messages[topic.message].comment,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in topic.facts or (topic.message,)},
        "x-key": topic.key,
        "x-data-class": topic.data_class,
        "x-owners": list(topic.owners),
        "bindings": {"kafka": _kafka(topic)},
    }


def _kafka(topic: catalogue.Topic) -> Json:
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "topicConfiguration": {
            "cleanup.policy": [topic.config["cleanup.policy"]],
            "retention.ms": int(topic.config["retention.ms"]),
            "max.message.bytes": int(topic.config["max.message.bytes"]),
        },
        "bindingVersion": "0.5.0",
    }


def _operation(topic: catalogue.Topic) -> Json:
    channel = topic.name.replace("~", "~0").replace("/", "~1")
    return {"action": "send", "summary": f"{topic.owner} publishes.", "channel": {"$ref": f"#/channels/{channel}"}}


def _messages(topic: catalogue.Topic, contracts: Contracts) -> dict[str, Json]:
    value = contracts.messages[topic.message]
    if not topic.facts:
        return {topic.message: _message(topic, value, {"$ref": f"#/components/schemas/{topic.message}"})}
    facts = (field for field in value.fields if field.oneof == "fact")
    return {
        field.type: {
            **_message(topic, contracts.messages[field.type], _event(field)),
            "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        }
        for field in facts
    }


def _message(topic: catalogue.Topic, message: Message, payload: Json) -> Json:
    return {
        "name": message.name,
        "title": message.short,
        "summary": message.comment,
        "contentType": "application/protobuf",
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
    }


def _event(fact: Field) -> Json:
    return {
        "type": "object",
        "required": ["meta", fact.name],
        "properties": {
            "meta": {"$ref": "#/components/schemas/contactcenter.bus.v1.EventMeta"},
            fact.name: {"$ref": f"#/components/schemas/{fact.type}"},
        },
    }


def _headers() -> Json:
    properties = {name: {"type": "string", "description": text} for name, text in HEADERS.items()}
    return {"type": "object", "properties": properties, "required": [name for name in HEADERS if name != "traceparent"]}


def _schemas(values: list[str], contracts: Contracts) -> dict[str, Json]:
    names = sorted({name for value in values for name in contracts.reachable(value)})
    return {name: _schema(contracts, name) for name in names if name in contracts.messages or name in contracts.enums}


def _schema(contracts: Contracts, name: str) -> Json:
    if name in contracts.enums:
        return _words(contracts.enums[name])
    message = contracts.messages[name]
    return {
        "type": "object",
        "description": message.comment,
        "properties": {field.name: _property(field) for field in message.fields},
    }


def _words(enum: Enum) -> Json:
    text = " ".join(f"`{word}`: {comment}" for word, (_, comment) in zip(enum.words, enum.values[1:], strict=True))
    return {"type": "string", "enum": enum.words, "description": text}


def _property(field: Field) -> Json:
    one = _type(field.type)
    value: Json = {"type": "array", "items": one} if field.repeated else dict(one)
    if "$ref" in value:
        value = {"allOf": [value]}
    value |= {"description": field.comment, "x-field": field.number}
    if field.type == "string":
        value["x-data-class"] = field.data_class.removeprefix("DATA_CLASS_")
    return value


def _type(name: str) -> Json:
    if name in SCALARS:
        return SCALARS[name]
    return {"$ref": f"#/components/schemas/{name}"} if "." in name else {"type": "integer", "format": name}


class _Plain(yaml.SafeDumper):
    """Writes no anchors: every part is spelled out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def documents() -> dict[Path, str]:
    """What the documents should say, by their path."""
    contracts = described.described(described.load())
    spec = yaml.dump(asyncapi(contracts), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    made = "# Made from the contracts by `make topics`; do not edit.\n"
    return {PROTO / "TOPICS.md": topics_md(contracts), PROTO / "asyncapi.yaml": made + spec}


def main(arguments: list[str]) -> int:
    wanted = documents()
    if arguments != ["--check"]:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
            print(f"topics: {path.relative_to(PROTO.parent)}")
        return 0
    stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    print(
        f"{', '.join(stale)} differ from the contracts: make topics"
        if stale
        else "TOPICS.md and asyncapi.yaml are fresh"
    )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
