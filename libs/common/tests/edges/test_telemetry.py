"""Spans are named by the conventions, hops over Kafka are links, and without an endpoint only the ids travel."""

import pytest

from switchlog import telemetry
from switchlog.telemetry import SpanKind, context_from, current_traceparent, span
from switchlog.testing import OtlpReceiver
from switchlog.testing import test_settings as settings_for_tests

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def otlp():
    with OtlpReceiver() as receiver:
        running = telemetry.start_telemetry(settings_for_tests(otlp_endpoint=receiver.endpoint))
        receiver.flush = running.flush
        yield receiver
        running.shutdown()


def test_without_an_endpoint_a_traceparent_is_still_made_and_passed_on():
    assert current_traceparent() == ""
    with span("a"):
        first = current_traceparent()
        with span("b"):
            second = current_traceparent()
    assert first[3:35] == second[3:35]
    assert first[36:52] != second[36:52]
    assert current_traceparent() == ""


def test_a_given_traceparent_is_continued():
    with span("a", parent=GIVEN):
        assert current_traceparent().startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert current_traceparent() != GIVEN


@pytest.mark.parametrize(
    "bad",
    ["", "x", "00-" + "0" * 32 + "-b7ad6b7169203331-01", GIVEN[:-1], "ff" + GIVEN[2:], GIVEN + "-x", None, b"\xff"],
)
def test_a_malformed_traceparent_starts_a_new_trace(bad):
    assert context_from(bad) is None
    with span("a", parent=bad):
        assert context_from(current_traceparent()) is not None


def test_a_request_is_a_server_span_named_after_its_route(otlp):
    with telemetry.http_server_span("POST", "http", GIVEN) as opened:
        telemetry.answered(opened, "POST", "/v1/contacts/{id}:end", 200, 0.01)
    otlp.flush()
    [found] = otlp.named("POST /v1/contacts/{id}:end")
    assert (found.kind, found.trace_id, found.parent_id) == ("server", GIVEN[3:35], GIVEN[36:52])
    assert found.attributes["http.response.status_code"] == 200
    assert found.attributes["http.route"] == "/v1/contacts/{id}:end"
    assert found.service == "testing"


def test_processing_is_a_trace_of_its_own_linked_to_the_producer(otlp):
    with span("elsewhere"), telemetry.process_span("contact.events.v1", "routing-decide", GIVEN, partition=3, offset=7):
        pass
    otlp.flush()
    [found] = otlp.named("process contact.events.v1")
    assert (found.kind, found.parent_id) == ("consumer", "")
    assert found.links == ((GIVEN[3:35], GIVEN[36:52]),)
    assert found.trace_id not in (GIVEN[3:35], otlp.named("elsewhere")[0].trace_id)
    assert found.attributes["messaging.consumer.group.name"] == "routing-decide"
    assert found.attributes["messaging.destination.partition.id"] == "3"
    assert found.attributes["messaging.kafka.offset"] == 7
    assert not [name for name in found.attributes if "key" in name]


def test_publishing_and_appending_have_conventional_names(otlp):
    with telemetry.publish_span("ticket.events.v1", 2, partition=1, links=[GIVEN]):
        pass
    with telemetry.append_span("sqlite", "ticketing", 3):
        pass
    otlp.flush()
    [published], [appended] = otlp.named("publish ticket.events.v1"), otlp.named("append ticketing")
    assert published.kind == "producer"
    assert published.attributes["messaging.system"] == "kafka"
    assert published.attributes["messaging.batch.message_count"] == 2
    assert published.links == ((GIVEN[3:35], GIVEN[36:52]),)
    assert appended.attributes["db.system.name"] == "sqlite"


def test_what_escapes_is_recorded_by_its_class_and_never_by_its_text(otlp):
    with pytest.raises(ValueError), span("a"):
        raise ValueError("phone 13800138000")
    otlp.flush()
    [found] = otlp.named("a")
    assert found.failed
    assert found.attributes["error.type"] == "ValueError"
    assert not [body for body in otlp.bodies if b"13800138000" in body]


def test_a_socket_message_is_a_trace_of_its_own(otlp):
    with span("connection"), telemetry.socket_message_span("/v1/ws", "message"):
        pass
    otlp.flush()
    assert otlp.named("receive /v1/ws")[0].trace_id != otlp.named("connection")[0].trace_id


def test_metrics_are_exposed_for_prometheus():
    running = telemetry.start_telemetry(settings_for_tests())
    counter = telemetry.meter("testing").create_counter("switchlog.testing.things", "{thing}", "Things tested.")
    counter.add(3)
    with telemetry.append_span("sqlite", "ticketing", 1):
        pass
    content, media_type = telemetry.exposition()
    running.shutdown()
    assert b"switchlog_testing_things_total" in content
    assert b"switchlog_store_append_duration_seconds_bucket{" in content
    assert media_type.startswith("text/plain")


def test_starting_twice_is_one_start():
    first = telemetry.start_telemetry(settings_for_tests())
    assert telemetry.start_telemetry(settings_for_tests()) is first
    first.shutdown()


def test_a_dead_collector_costs_nothing_but_the_traces():
    running = telemetry.start_telemetry(settings_for_tests(otlp_endpoint="http://127.0.0.1:9"))
    with span("a", SpanKind.INTERNAL):
        assert current_traceparent()
    running.shutdown()
