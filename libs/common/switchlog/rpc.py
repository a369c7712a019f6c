"""The gRPC edge: servers that ask for a token and a deadline, clients that bring them, and our errors on both ends."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import grpc
from grpc import StatusCode
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from switchlog import telemetry
from switchlog.auth.principal import Principal, acting_for, require_role
from switchlog.auth.tokens import TokenSource
from switchlog.auth.verifier import Verifier
from switchlog.config import KernelSettings, PortTaken
from switchlog.errors import (
    Forbidden,
    NotFound,
    NotNow,
    OutcomeUnknown,
    Poison,
    Rejected,
    SwitchlogError,
    TooLarge,
    Unauthenticated,
    VersionConflict,
)
from switchlog.health import Health
from switchlog.limits import RateLimited
from switchlog.log import get_logger

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_DEADLINE_S = 300.0
UNARY_TIMEOUT_S = 5.0
STREAM_TIMEOUT_S = 60.0
OPEN_TO_ALL = "/grpc.health.v1.Health/"

# Trailing metadata that lets a client raise the very exception that the server raised.
REASON, DETAIL, RETRY_AFTER_MS, HEAD = (
    "switchlog-reason",
    "switchlog-detail-bin",
    "switchlog-retry-after-ms",
    "switchlog-head",
)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Servicer = tuple[Callable[[Any, Any], None], Any]
"""``(add_XServicer_to_server, servicer)`` as generated and as written."""

log = get_logger(__name__)
_caller: ContextVar[Principal] = ContextVar("caller")
_servers_health: dict[int, health.aio.HealthServicer] = {}


def caller(tenant: str = "", *roles: str) -> Principal:
    """Who calls the method we are in, in ``tenant`` as the message names it, holding one of ``roles`` if any is given.

    Raises ``Forbidden``: only services may name another tenant than their token's.
    """
    found = _caller.get()
    return acting_for(require_role(found, *roles) if roles else found, tenant)


# --- errors ------------------------------------------------------------------------------------------------------


def status_of(error: BaseException) -> StatusCode:
    """The code for ``error`` by the table in architecture.md."""
    match error:
        case Rejected():
            return StatusCode.INVALID_ARGUMENT if error.invalid else StatusCode.FAILED_PRECONDITION
        case NotFound():
            return StatusCode.NOT_FOUND
        case VersionConflict():
            return StatusCode.ABORTED
        case Unauthenticated():
            return StatusCode.UNAUTHENTICATED
        case Forbidden():
            return StatusCode.PERMISSION_DENIED
        case TooLarge() | RateLimited():
            return StatusCode.RESOURCE_EXHAUSTED
        case NotNow():
            return StatusCode.UNAVAILABLE
        case Poison():
            return StatusCode.INVALID_ARGUMENT
        case _:
            return StatusCode.INTERNAL


def error_of(failure: grpc.aio.AioRpcError) -> SwitchlogError | grpc.aio.AioRpcError:
    """The exception behind a failed call: ours where the server was ours, the nearest of ours where it was away."""
    trailers = dict(failure.trailing_metadata() or ())
    reason = str(trailers.get(REASON, ""))
    detail = _text(trailers.get(DETAIL, b""))
    wait = int(trailers.get(RETRY_AFTER_MS, 1000)) / 1000
    match failure.code():
        case StatusCode.FAILED_PRECONDITION if reason:
            return Rejected(reason, detail)
        case StatusCode.INVALID_ARGUMENT if reason:
            return Rejected(reason, detail, invalid=True)
        case StatusCode.NOT_FOUND:
            return NotFound(reason, detail)
        case StatusCode.ABORTED:
            return VersionConflict(int(trailers.get(HEAD, -1)), detail)
        case StatusCode.UNAUTHENTICATED:
            return Unauthenticated(reason, detail)
        case StatusCode.PERMISSION_DENIED:
            return Forbidden(reason, detail)
        case StatusCode.RESOURCE_EXHAUSTED:
            return (
                RateLimited(reason, detail, retry_after_s=wait)
                if RETRY_AFTER_MS in trailers
                else TooLarge(reason, detail)
            )
        case StatusCode.UNAVAILABLE:
            kind = OutcomeUnknown if reason == OutcomeUnknown.reason else NotNow
            return kind(reason or "PEER_AWAY", detail, retry_after_s=wait)
        case StatusCode.DEADLINE_EXCEEDED:
            return OutcomeUnknown("DEADLINE_EXCEEDED")
        case _:
            return failure


def _trailers(error: SwitchlogError) -> tuple[tuple[str, str | bytes], ...]:
    pairs: list[tuple[str, str | bytes]] = [(REASON, error.reason)]
    if error.detail and not isinstance(error, NotFound):  # a foreign id and a random one get the same answer
        pairs.append((DETAIL, error.detail[:1000].encode()))
    if isinstance(error, NotNow):
        pairs.append((RETRY_AFTER_MS, str(int(error.retry_after_s * 1000))))
    if isinstance(error, VersionConflict):
        pairs.append((HEAD, str(error.head)))
    return tuple(pairs)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


# --- server ------------------------------------------------------------------------------------------------------


def create_server(servicers: Sequence[Servicer], verifier: Verifier, settings: KernelSettings) -> grpc.aio.Server:
    """A server on ``settings.grpc_port`` (not yet started) with health service, 4 MiB messages and our interceptor.

    With ``tls_cert_file`` it speaks TLS, and with ``tls_ca_file`` it demands client certificates (mTLS).
    Raises ``PortTaken``.
    """
    server = grpc.aio.server(interceptors=[_Edge(verifier)], options=_options(), maximum_concurrent_rpcs=2000)
    for add, servicer in servicers:
        add(servicer, server)
    answers = _servers_health[id(server)] = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(answers, server)
    _bind(server, settings)
    return server


async def track_health(server: grpc.aio.Server, own: Health, every_s: float = 1.0) -> None:
    """Keep the gRPC health answer equal to ``/readyz``; runs until cancelled, then says NOT_SERVING."""
    servicer = _servers_health.pop(id(server))
    try:
        while True:
            fine = all((await own.report()).values())
            await servicer.set("", _SERVING if fine else _NOT_SERVING)
            await asyncio.sleep(every_s)
    finally:
        await servicer.enter_graceful_shutdown()


def _options() -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.so_reuseport", 0),  # else a second process would silently share the port
    ]


def _bind(server: grpc.aio.Server, settings: KernelSettings) -> None:
    address = f"{settings.http_host}:{settings.grpc_port}"
    try:
        if settings.tls_cert_file:
            server.add_secure_port(address, _server_credentials(settings))
        else:
            server.add_insecure_port(address)
    except RuntimeError:
        variable = f"{settings.service.upper()}_GRPC_PORT"
        raise PortTaken(
            f"port {settings.grpc_port} on {settings.http_host} is in use: stop what runs there or set {variable}"
        ) from None


def _server_credentials(settings: KernelSettings) -> grpc.ServerCredentials:
    pair = (Path(settings.tls_key_file).read_bytes(), Path(settings.tls_cert_file).read_bytes())
    root = Path(settings.tls_ca_file).read_bytes() if settings.tls_ca_file else None
    return grpc.ssl_server_credentials([pair], root_certificates=root, require_client_auth=root is not None)


class _Edge(grpc.aio.ServerInterceptor):
    """What every call passes: trace, deadline, token, and our errors as status codes."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(OPEN_TO_ALL):
            return handler
        metadata = dict(handler_call_details.invocation_metadata)
        inner, wrap = _kind(handler)
        streams = handler.response_streaming
        return wrap(
            (self._streaming if streams else self._unary)(inner, method, metadata),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _unary(self, inner: Any, method: str, metadata: dict[str, Any]) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            async with _Answering(self._verifier, method, metadata, context):
                return await inner(request, context)

        return answer

    def _streaming(self, inner: Any, method: str, metadata: dict[str, Any]) -> Any:
        async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
            async with _Answering(self._verifier, method, metadata, context):
                answers = inner(request, context)
                if inspect.isawaitable(answers):  # a handler that uses context.write
                    await answers
                    return
                async for message in answers:
                    yield message

        return answer


def _kind(handler: Any) -> tuple[Any, Any]:
    """The function inside a method handler, and how to wrap another one like it."""
    match handler.request_streaming, handler.response_streaming:
        case False, False:
            return handler.unary_unary, grpc.unary_unary_rpc_method_handler
        case False, True:
            return handler.unary_stream, grpc.unary_stream_rpc_method_handler
        case True, False:
            return handler.stream_unary, grpc.stream_unary_rpc_method_handler
        case _:
            return handler.stream_stream, grpc.stream_stream_rpc_method_handler


class _Answering:
    """Around one call: its span, its principal, and its errors turned into a status."""

    def __init__(self, verifier: Verifier, method: str, metadata: dict[str, Any], context: Any) -> None:
        self._verifier = verifier
        self._method = method
        self._metadata = metadata
        self._context = context
        self._span = telemetry.grpc_server_span(method, metadata.get("traceparent"))

    async def __aenter__(self) -> None:
        self._span.__enter__()
        try:
            self._check_deadline()
            scheme, _, token = str(self._metadata.get("authorization", "")).partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("NO_TOKEN")
            _caller.set(await self._verifier.verify(token))
        except Exception as error:
            self._span.__exit__(type(error), error, error.__traceback__)
            await self._abort(error)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        with _swallowed(error):
            self._span.__exit__(kind, error, trace)
        if isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
            await self._abort(error)

    def _check_deadline(self) -> None:
        remaining = self._context.time_remaining()
        if remaining is None or remaining > MAX_DEADLINE_S:
            raise Rejected("DEADLINE_REQUIRED", f"set a deadline of at most {MAX_DEADLINE_S:g} s", invalid=True)

    async def _abort(self, error: Exception) -> None:
        if isinstance(error, SwitchlogError):
            await self._context.abort(status_of(error), error.reason, _trailers(error))
        if isinstance(error, NotImplementedError):  # the generated base of a servicer that leaves a method out
            await self._context.abort(StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", ((REASON, "UNIMPLEMENTED"),))
        log.error("call_failed", method=self._method, error=type(error).__name__, exc_info=error)
        await self._context.abort(StatusCode.INTERNAL, "INTERNAL", ((REASON, "INTERNAL"),))


@contextmanager
def _swallowed(error: BaseException | None) -> Iterator[None]:
    """Leaving a span raises the error again; here it is only to be recorded."""
    try:
        yield
    except BaseException as again:
        if again is not error:
            raise


# --- client ------------------------------------------------------------------------------------------------------


def channel(
    address: str,
    tokens: TokenSource,
    *,
    timeout_s: float = UNARY_TIMEOUT_S,
    stream_timeout_s: float = STREAM_TIMEOUT_S,
    settings: KernelSettings | None = None,
) -> grpc.aio.Channel:
    """A channel to ``address`` (``host:port``) whose calls carry token, traceparent and deadline and raise our errors.

    Calls may set a ``timeout`` of their own. TLS is used when ``settings`` names a CA.
    """
    interceptors = [_UnaryCalls(address, tokens, timeout_s), _StreamCalls(address, tokens, stream_timeout_s)]
    if settings is not None and settings.tls_ca_file:
        return grpc.aio.secure_channel(address, _channel_credentials(settings), _options(), interceptors=interceptors)
    return grpc.aio.insecure_channel(address, _options(), interceptors=interceptors)


def _channel_credentials(settings: KernelSettings) -> grpc.ChannelCredentials:
    mutual = bool(settings.tls_cert_file)
    return grpc.ssl_channel_credentials(
        Path(settings.tls_ca_file).read_bytes(),
        Path(settings.tls_key_file).read_bytes() if mutual else None,
        Path(settings.tls_cert_file).read_bytes() if mutual else None,
    )


class _UnaryCalls(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, address: str, tokens: TokenSource, timeout_s: float) -> None:
        self._address, self._tokens, self._timeout_s = address, tokens, timeout_s

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        with telemetry.grpc_client_span(_method(client_call_details), self._address):
            details = await _dressed(client_call_details, self._tokens, self._timeout_s)
            call = await continuation(details, request)
            try:
                await call
            except grpc.aio.AioRpcError as failure:
                raise error_of(failure) from None
            return call


class _StreamCalls(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, address: str, tokens: TokenSource, timeout_s: float) -> None:
        self._address, self._tokens, self._timeout_s = address, tokens, timeout_s

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        with telemetry.grpc_client_span(_method(client_call_details), self._address):
            details = await _dressed(client_call_details, self._tokens, self._timeout_s)
            return _ours(await continuation(details, request))


async def _ours(answers: AsyncIterable[Any]) -> AsyncIterator[Any]:
    try:
        async for answer in answers:
            yield answer
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from None


def _method(details: Any) -> str:
    return details.method.decode() if isinstance(details.method, bytes) else str(details.method)


async def _dressed(details: Any, tokens: TokenSource, timeout_s: float) -> Any:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    metadata["authorization"] = f"Bearer {await tokens.token()}"
    if traceparent := telemetry.current_traceparent():
        metadata["traceparent"] = traceparent
    timeout = timeout_s if details.timeout is None else details.timeout
    return grpc.aio.ClientCallDetails(details.method, timeout, metadata, details.credentials, details.wait_for_ready)
