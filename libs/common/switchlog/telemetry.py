"""Traces and metrics: thin spans named by OpenTelemetry's semantic conventions, never personal text, never keys.

Without an OTLP endpoint nothing is recorded, but every hop still gets and passes on a ``traceparent``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from switchlog.config import KernelSettings
from switchlog.durations import Durations, Labels, record_before_each_look

__all__ = [
    "Span",
    "SpanContext",
    "SpanKind",
    "Telemetry",
    "append_span",
    "context_from",
    "current_trace_id",
    "current_traceparent",
    "exposition",
    "grpc_client_span",
    "grpc_server_span",
    "http_server_span",
    "meter",
    "process_span",
    "publish_span",
    "recording",
    "socket_message_span",
    "span",
    "start_telemetry",
    "traceparent_of",
]

Attributes = Mapping[str, AttributeValue]
Links = Sequence[SpanContext | str | bytes | None]

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def meter(name: str) -> Meter:
    """The meter of ``name`` (a service or room); instruments may be declared at import, before ``start_telemetry``."""
    return metrics.get_meter(name)


_http_seconds = Durations("http.server.request.duration", "Duration of HTTP requests answered here.")
_grpc_server_seconds = Durations("rpc.server.call.duration", "Duration of gRPC calls answered here.")
_grpc_client_seconds = Durations("rpc.client.call.duration", "Duration of gRPC calls made from here.")
_append_seconds = Durations("switchlog.store.append.duration", "Duration of conditional appends to the event store.")
_publish_seconds = Durations("messaging.client.operation.duration", "Duration of sending a batch until acknowledged.")
_process_seconds = Durations("messaging.process.duration", "Duration of handling one record or batch.")
_socket_messages = meter("switchlog").create_counter(
    "switchlog.websocket.messages", "{message}", "Messages received from WebSocket clients."
)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What ``start_telemetry`` began; ``shutdown`` sends what is still buffered."""

    traces: TracerProvider | None

    def flush(self) -> None:
        """Send finished spans now; blocks until sent or given up."""
        if self.traces is not None:
            self.traces.force_flush(5_000)

    def shutdown(self) -> None:
        """Send the rest and stop recording; blocks for at most a few seconds."""
        global _tracer, _running
        _tracer, _running = None, None
        if self.traces is not None:
            self.traces.shutdown()


_tracer: trace.Tracer | None = None
_running: Telemetry | None = None
_meters: MeterProvider | None = None


def start_telemetry(settings: KernelSettings) -> Telemetry:
    """Record metrics for ``/metrics``, and traces and metrics to ``settings.otlp_endpoint`` (OTLP/http) when it is set.

    Safe to repeat: a running one is returned as it is.
    """
    global _tracer, _running
    if _running is not None:
        return _running
    resource = Resource.create({"service.name": settings.service, "service.namespace": "switchlog"})
    _start_metrics(resource, settings.otlp_endpoint)
    provider = _start_traces(resource, settings.otlp_endpoint) if settings.otlp_endpoint else None
    _tracer = provider.get_tracer("switchlog") if provider else None
    _running = Telemetry(provider)
    return _running


def _start_traces(resource: Resource, endpoint: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
    return provider


def _start_metrics(resource: Resource, endpoint: str) -> None:
    global _meters
    if _meters is not None:  # the API takes one meter provider a process
        return
    from opentelemetry.exporter.prometheus import PrometheusMetricReader

    readers: list[MetricReader] = [PrometheusMetricReader()]
    if endpoint:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        exporter = OTLPMetricExporter(endpoint=f"{endpoint.rstrip('/')}/v1/metrics", timeout=5)
        readers.append(PeriodicExportingMetricReader(exporter, export_interval_millis=15_000))
    # no exemplars: kept durations are recorded in somebody else's span
    _meters = MeterProvider(readers, resource, shutdown_on_exit=False, exemplar_filter=AlwaysOffExemplarFilter())
    record_before_each_look(_meters)
    metrics.set_meter_provider(_meters)


def exposition() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    return generate_latest(), CONTENT_TYPE_LATEST


def recording() -> bool:
    """Whether spans are kept; if not, what only they would tell need not be gathered."""
    return _tracer is not None


# --- context -----------------------------------------------------------------------------------------------------


def current_traceparent() -> str:
    """The W3C ``traceparent`` of the span we are in; empty outside of any."""
    return traceparent_of(trace.get_current_span().get_span_context())


def current_trace_id() -> str:
    """The trace id we are in, 32 hex digits; empty outside of any span."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def traceparent_of(context: SpanContext) -> str:
    """``context`` as W3C ``traceparent``; empty when it is not valid."""
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def context_from(traceparent: str | bytes | None) -> SpanContext | None:
    """The remote span that ``traceparent`` names; ``None`` when absent or malformed (never an error)."""
    text = traceparent.decode("latin-1") if isinstance(traceparent, bytes) else traceparent or ""
    parts = text.split("-")
    if [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff" or (parts[0] == "00" and len(parts) > 4):
        return None
    try:
        trace_id, span_id, flags = (int(part, 16) for part in parts[1:4])
    except ValueError:
        return None
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


# --- spans -------------------------------------------------------------------------------------------------------


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: SpanContext | str | bytes | None = None,
    links: Links = (),
    attributes: Attributes | None = None,
    root: bool = False,
) -> Iterator[Span]:
    """A span around the block; what escapes is recorded as ``error.type`` (the class only: texts may be personal).

    ``parent`` replaces the current span (context or traceparent); ``root=True`` starts a trace, joined by ``links``.
    """
    opened = _open(name, kind, _given(parent), root, links, attributes)
    token = otel_context.attach(trace.set_span_in_context(opened, otel_context.Context() if root else None))
    try:
        yield opened
    except BaseException as error:
        failed(opened, error)
        raise
    finally:
        otel_context.detach(token)
        opened.end()


def failed(opened: Span, error: BaseException | str) -> None:
    """Mark a span as failed by the class of ``error`` (or a short constant)."""
    kind = error if isinstance(error, str) else getattr(error, "reason", None) or type(error).__qualname__
    opened.set_status(Status(StatusCode.ERROR))
    opened.set_attribute("error.type", str(kind))


def _given(parent: SpanContext | str | bytes | None) -> SpanContext | None:
    return parent if parent is None or isinstance(parent, SpanContext) else context_from(parent)


def _open(
    name: str,
    kind: SpanKind,
    parent: SpanContext | None,
    root: bool,
    links: Links,
    attributes: Attributes | None,
) -> Span:
    if _tracer is None:
        return _pass_on(None if root else parent or trace.get_current_span().get_span_context())
    context = otel_context.Context() if root else None
    if parent is not None:
        context = trace.set_span_in_context(NonRecordingSpan(parent), context)
    joined = [Link(found) for found in map(_given, links) if found is not None]
    return _tracer.start_span(name, context, kind, attributes, joined, record_exception=False)


def _pass_on(parent: SpanContext | None) -> Span:
    """A span that is not recorded here but has an id of its own to hand on."""
    known = parent is not None and parent.is_valid
    return NonRecordingSpan(
        SpanContext(
            parent.trace_id if known and parent else random.getrandbits(128) | 1,
            random.getrandbits(64) | 1,
            is_remote=False,
            trace_flags=parent.trace_flags if known and parent else _SAMPLED,
        )
    )


class _Timed:
    """Records into ``histogram`` how long the block took; a generator would cost more than what is measured."""

    __slots__ = ("_histogram", "_labels", "_started")

    def __init__(self, histogram: Durations, labels: Labels) -> None:
        self._histogram, self._labels = histogram, labels

    def __enter__(self) -> Span:
        self._started = time.perf_counter()
        return trace.INVALID_SPAN

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._labels["error.type"] = kind.__qualname__
        self._histogram.record(time.perf_counter() - self._started, self._labels)


def _leaf(
    name: str, kind: SpanKind, histogram: Durations, labels: Labels, more: Attributes, links: Links
) -> AbstractContextManager[Span]:
    """A timed span whose id nobody hands on: where nothing is recorded there is only the time."""
    timed = _Timed(histogram, labels)
    return _within(span(name, kind, links=links, attributes={**labels, **more}), timed) if recording() else timed


@contextmanager
def _within(outer: AbstractContextManager[Span], timed: _Timed) -> Iterator[Span]:
    with outer as opened, timed:
        yield opened


@contextmanager
def http_server_span(method: str, scheme: str, traceparent: str | bytes | None = None) -> Iterator[Span]:
    """A request being answered; finish it with ``answered``."""
    attributes = {"http.request.method": method, "url.scheme": scheme}
    with span(method, SpanKind.SERVER, parent=traceparent, attributes=attributes) as opened:
        yield opened


def answered(opened: Span, method: str, route: str, status: int, seconds: float) -> None:
    """Name a request's span after its route template, and count it."""
    labels: Labels = {"http.request.method": method, "http.response.status_code": status}
    if route:
        labels["http.route"] = route
        opened.update_name(f"{method} {route}")
    if status >= 500:
        labels["error.type"] = str(status)
        failed(opened, str(status))
    opened.set_attributes(labels)
    _http_seconds.record(seconds, labels)


@contextmanager
def socket_message_span(route: str, message_type: str, links: Sequence[SpanContext | None] = ()) -> Iterator[Span]:
    """One message from a WebSocket client: a trace of its own (the connection lives for hours).

    ``route`` and ``message_type`` are our own constants, never the client's words.
    """
    _socket_messages.add(1, {"http.route": route, "switchlog.message.type": message_type})
    attributes = {"http.route": route, "switchlog.message.type": message_type, "network.protocol.name": "websocket"}
    with span(f"receive {route}", SpanKind.SERVER, root=True, links=links, attributes=attributes) as opened:
        yield opened


@contextmanager
def grpc_server_span(method: str, traceparent: str | bytes | None = None) -> Iterator[Span]:
    """A gRPC call being answered; ``method`` is ``/package.Service/Method``."""
    labels = _rpc(method)
    with span(labels["rpc.method"], SpanKind.SERVER, parent=traceparent, attributes=labels) as opened:
        with _Timed(_grpc_server_seconds, dict(labels)):
            yield opened


@contextmanager
def grpc_client_span(method: str, address: str) -> Iterator[Span]:
    """A gRPC call being made to ``address``."""
    labels = _rpc(method)
    attributes = labels | {"server.address": address}
    with span(labels["rpc.method"], SpanKind.CLIENT, attributes=attributes) as opened:
        with _Timed(_grpc_client_seconds, dict(labels)):
            yield opened


def _rpc(method: str) -> dict[str, str]:
    return {"rpc.system.name": "grpc", "rpc.method": method.lstrip("/")}


def append_span(system: str, service: str, events: int, *, links: Links = ()) -> AbstractContextManager[Span]:
    """One conditional append of ``events`` events to ``system`` (sqlite, cassandra, memory); links: its commands."""
    labels: Labels = {"db.system.name": system, "db.namespace": service, "db.operation.name": "append"}
    more = {"db.operation.batch.size": events}
    return _leaf(f"append {service}", SpanKind.CLIENT, _append_seconds, labels, more, links)


def publish_span(
    topic: str, messages: int = 1, *, partition: int | None = None, links: Links = ()
) -> AbstractContextManager[Span]:
    """Sending ``messages`` records to ``topic``; link the contexts that the records carry."""
    more = {"messaging.batch.message_count": messages, **_partition(partition)}
    labels = _messaging("publish", "send", topic)
    return _leaf(f"publish {topic}", SpanKind.PRODUCER, _publish_seconds, labels, more, links)


@contextmanager
def process_span(
    topic: str,
    group: str,
    traceparent: str | bytes | None = None,
    *,
    partition: int | None = None,
    offset: int | None = None,
    links: Links = (),
    messages: int = 1,
) -> Iterator[Span]:
    """Handling a record of ``topic``: a trace of its own, joined to its producer by a link, never a child."""
    labels = _messaging("process", "process", topic) | {"messaging.consumer.group.name": group}
    attributes: Attributes = (
        labels | _partition(partition) | _offset(offset) | {"messaging.batch.message_count": messages}
    )
    joined = (traceparent, *links)
    with span(f"process {topic}", SpanKind.CONSUMER, root=True, links=joined, attributes=attributes) as opened:
        with _Timed(_process_seconds, dict(labels)):
            yield opened


def _messaging(name: str, kind: str, topic: str) -> Labels:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": topic,
    }


def _partition(partition: int | None) -> Labels:
    return {} if partition is None else {"messaging.destination.partition.id": str(partition)}


def _offset(offset: int | None) -> Labels:
    return {} if offset is None else {"messaging.kafka.offset": offset}
