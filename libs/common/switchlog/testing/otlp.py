"""A collector inside the test: takes OTLP/http as exporters send it and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True)
class SeenSpan:
    """A span as exported: ids in hex, ``links`` as ``(trace id, span id)``, ``failed`` if its status is ERROR."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...] = ()
    failed: bool = False


@dataclass
class OtlpReceiver:
    """``with OtlpReceiver() as otlp:`` set the endpoint to ``otlp.endpoint``, then look at ``otlp.spans``."""

    spans: list[SeenSpan] = field(default_factory=list)
    metric_names: set[str] = field(default_factory=set)
    bodies: list[bytes] = field(default_factory=list)

    def __enter__(self) -> OtlpReceiver:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def named(self, name: str) -> list[SeenSpan]:
        """The spans called ``name``."""
        return [span for span in self.spans if span.name == name]

    def take(self, path: str, body: bytes) -> bytes:
        """One export; returns the answer's bytes."""
        self.bodies.append(body)
        if path.endswith("/v1/traces"):
            self.spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
        elif path.endswith("/v1/metrics"):
            self.metric_names.update(_metric_names(ExportMetricsServiceRequest.FromString(body)))
        return b""


def _handler(receiver: OtlpReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            answer = receiver.take(self.path, body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _spans(request: ExportTraceServiceRequest) -> list[SeenSpan]:
    return [
        SeenSpan(
            service=str(_attributes(of_resource.resource.attributes).get("service.name", "")),
            name=span.name,
            kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            attributes=_attributes(span.attributes),
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
            failed=span.status.code == span.status.STATUS_CODE_ERROR,
        )
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _metric_names(request: ExportMetricsServiceRequest) -> set[str]:
    return {
        metric.name
        for of_resource in request.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
    }


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
