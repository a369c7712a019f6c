"""Contracts, catalogue, TOPICS.md, AsyncAPI and the stubs say the same (P10)."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import contract_docs
import generate_stubs
import pytest
import yaml

from contactcenter import catalogue, topics
from contactcenter.bus.v1 import envelope_pb2, options_pb2

PROTO = generate_stubs.PROTO
DAY = catalogue.DAY_MS

# partitions and keys are fixed per topic version: this table changes only by a new line
PROMISED = {
    "contact.events.v1": (48, 30 * DAY, "<tenant_id>/<contact stream>", "contactcenter.contact.v1.ContactEvent"),
    "agent.events.v1": (24, 30 * DAY, "<tenant_id>/<agent stream>", "contactcenter.agent.v1.AgentEvent"),
    "routing.events.v1": (48, 30 * DAY, "<tenant_id>/<pool stream>", "contactcenter.routing.v1.RoutingEvent"),
    "ticket.events.v1": (24, 30 * DAY, "<tenant_id>/<ticket stream>", "contactcenter.ticket.v1.TicketEvent"),
    "external.events.v1": (24, 30 * DAY, "<tenant_id>/<feed stream>", "contactcenter.external.v1.ExternalEvent"),
    "recording.events.v1": (
        24, 30 * DAY, "<tenant_id>/<recording stream>", "contactcenter.recording.v1.RecordingEvent",
    ),
    "customer.events.v1": (24, 30 * DAY, "<tenant_id>/<customer stream>", "contactcenter.customer.v1.CustomerEvent"),
    "routing.config.v1": (12, None, "<tenant_id>/<queue>", "contactcenter.routing.v1.QueueConfigRow"),
    "analytics.service-levels.v1": (
        12, None, "<tenant_id>/<queue>/<channel>/<step>/<attribution>/<start in UTC, RFC 3339>",
        "contactcenter.analytics.v1.ServiceLevelRow",
    ),
    "analytics.agent-time.v1": (
        12, None, "<tenant_id>/<agent>/<local day, YYYY-MM-DD>", "contactcenter.analytics.v1.AgentTimeRow",
    ),
    "analytics.alerts.v1": (12, 30 * DAY, "<tenant_id>/<alert stream>", "contactcenter.analytics.v1.AlertEvent"),
    "routing.inbox.v1": (48, 7 * DAY, "<tenant_id>/<pool stream>", "contactcenter.routing.v1.InboxItem"),
}  # fmt: skip


def test_the_catalogue_keeps_what_was_promised() -> None:
    """P10"""
    found = {each.name: (each.partitions, each.retention_ms, each.key, each.message) for each in catalogue.TOPICS}
    assert found == PROMISED
    assert all(each.compacted == (each.retention_ms is None) for each in catalogue.TOPICS)
    assert [each.name for each in catalogue.TOPICS if each.internal] == ["routing.inbox.v1"]


def test_every_message_marked_as_a_topic_is_in_the_catalogue() -> None:
    contracts = contract_docs.described.described(contract_docs.described.load())
    assert {message.name for message in contracts.topics()} == {each.message for each in catalogue.TOPICS}


def test_a_topic_is_told_everything_a_broker_could_guess() -> None:
    assert catalogue.topic("contact.events.v1").config == {
        "cleanup.policy": "delete",
        "retention.ms": "2592000000",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "1048576",
    }
    assert catalogue.topic("routing.config.v1").config["cleanup.policy"] == "compact"
    assert catalogue.topic("routing.config.v1").config["retention.ms"] == "-1"


def test_dead_letters_keep_the_origin_s_value_and_class() -> None:
    dead = catalogue.dead_letters(catalogue.topic("routing.config.v1"), "ingress-chat")
    assert (dead.name, dead.partitions, dead.retention_ms) == ("routing.config.v1.dead.ingress-chat", 6, 14 * DAY)
    assert dead.config["cleanup.policy"] == "delete"
    assert (dead.message, dead.owner) == ("contactcenter.routing.v1.QueueConfigRow", "ingress-chat")


def test_local_partition_counts_are_the_promised_ones_divided() -> None:
    counts = {each.partitions: topics.scaled(each, topics.LOCAL_DIVISOR).partitions for each in catalogue.TOPICS}
    assert counts == {48: 4, 24: 2, 12: 1}
    dead = catalogue.dead_letters(catalogue.topic("contact.events.v1"), "g")
    assert topics.scaled(dead, topics.LOCAL_DIVISOR, "x.").partitions == 1


def test_the_namespace_of_ids_is_published_as_a_file_option() -> None:
    said = envelope_pb2.DESCRIPTOR.GetOptions().Extensions[options_pb2.ns_switchlog]
    assert said == str(catalogue.NS_SWITCHLOG) == "6f1e6f0c-3c1b-5d0e-9a52-0c7a1c5d7e11"
    assert said in (PROTO / "contactcenter/bus/v1/envelope.proto").read_text("utf-8").split("syntax")[0]


def test_the_committed_stubs_are_those_the_contracts_make() -> None:
    assert generate_stubs.drift() == []


def test_drift_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(generate_stubs.STUBS, tmp_path / "stubs", ignore=shutil.ignore_patterns("__pycache__"))
    edited = tmp_path / "stubs" / "contactcenter/agent/v1/events_pb2.pyi"
    edited.write_text(edited.read_text("utf-8") + "# edited by hand\n", "utf-8")
    (tmp_path / "stubs" / "contactcenter/agent/v1/gone_pb2.py").touch()
    (tmp_path / "stubs" / "contactcenter/bus/v1/envelope_pb2.py").unlink()
    monkeypatch.setattr(generate_stubs, "STUBS", tmp_path / "stubs")
    monkeypatch.setattr(generate_stubs, "FRESH", tmp_path / "fresh")
    assert generate_stubs.drift() == [
        "contactcenter/bus/v1/envelope_pb2.py is missing",
        "contactcenter/agent/v1/gone_pb2.py has no .proto file any more",
        "contactcenter/agent/v1/events_pb2.pyi differs",
    ]


def test_the_committed_documents_are_those_the_contracts_make() -> None:
    for path, text in contract_docs.documents().items():
        assert path.read_text("utf-8") == text, f"{path.name}: make topics"


def test_asyncapi_agrees_with_the_catalogue() -> None:
    spec = yaml.safe_load((PROTO / "asyncapi.yaml").read_text("utf-8"))
    public = [each for each in catalogue.TOPICS if not each.internal]
    assert list(spec["channels"]) == [each.name for each in public]
    for each in public:
        channel = spec["channels"][each.name]
        assert channel["bindings"]["kafka"]["partitions"] == each.partitions
        assert channel["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] == (each.retention_ms or -1)
        assert list(channel["messages"]) == list(each.facts or (each.message,))


def test_topics_md_has_a_line_for_every_topic_and_fact() -> None:
    text = (PROTO / "TOPICS.md").read_text("utf-8")
    for each in catalogue.TOPICS:
        assert f"| `{each.name}`" in text
        assert all(f"| `{fact.rpartition('.')[2]}` |" in text for fact in each.facts)


def test_the_released_image_is_named_in_the_changelog() -> None:
    """An image is replaced only together with an entry: the entry carries its digest."""
    digest = hashlib.sha256((PROTO / "released.binpb").read_bytes()).hexdigest()
    assert digest in (PROTO / "CHANGELOG.md").read_text("utf-8")


@pytest.fixture
def buf() -> Path:
    found = Path(generate_stubs.sys.executable).parent / "buf"
    assert found.exists(), "buf is in requirements.in"
    return found


def breaking(buf: Path, image: Path) -> subprocess.CompletedProcess[str]:
    rules = '{"version":"v2","breaking":{"use":["FILE"]}}'
    command = [str(buf), "breaking", str(image), "--against", str(PROTO / "released.binpb"), "--path", "contactcenter"]
    return subprocess.run([*command, "--config", rules], capture_output=True, text=True, check=False)


def built(buf: Path, folder: Path, out: Path) -> Path:
    subprocess.run([str(buf), "build", "-o", str(out)], cwd=folder, check=True)
    return out


def test_nothing_breaks_the_released_contracts(buf: Path, tmp_path: Path) -> None:
    result = breaking(buf, built(buf, PROTO, tmp_path / "now.binpb"))
    assert (result.returncode, result.stdout) == (0, "")


def test_a_renumbered_field_is_refused(buf: Path, tmp_path: Path) -> None:
    copy = tmp_path / "proto"
    shutil.copytree(PROTO, copy, ignore=shutil.ignore_patterns("python", "golden", "tests", "tools"))
    path = copy / "contactcenter/contact/v1/events.proto"
    text = path.read_text("utf-8")
    assert "int32 score = 7;" in text
    path.write_text(text.replace("int32 score = 7;", "int32 score = 70;"), "utf-8")
    result = breaking(buf, built(buf, copy, tmp_path / "then.binpb"))
    assert result.returncode == 100
    assert 'Previously present field "7"' in result.stdout
