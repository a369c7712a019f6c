"""One process of a service: HTTP, gRPC and its tasks together, and an orderly end of all of them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import grpc
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.config import ConfigError, KernelSettings, PortTaken
from switchlog.health import Health
from switchlog.log import configure_logging, get_logger
from switchlog.rpc import Servicer, create_server, track_health
from switchlog.telemetry import start_telemetry
from switchlog.web.sockets import MAX_FRAME_BYTES

STOP_WITHIN_S = 10.0
# Of the whole, what requests in flight may take; the rest is for draining and closing.
FINISH_WITHIN_S = 5.0
SLOW_READER_S = 20.0

Task = tuple[str, Callable[[], Awaitable[None]]]
Hook = Callable[[], Awaitable[None]]

log = get_logger(__name__)


async def serve(
    settings: KernelSettings,
    *,
    app: FastAPI | None = None,
    servicers: Sequence[Servicer] = (),
    tasks: Sequence[Task] = (),
    before: Sequence[Hook] = (),
    drain: Sequence[Hook] = (),
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run until SIGTERM or SIGINT (or ``stop``), then end in order within 10 s.

    Start: ports are taken, ``before`` hooks run one after another, tasks start, then HTTP and gRPC answer.
    Stop: not ready, no new requests, those in flight finish (5 s), tasks are cancelled, ``drain`` hooks run in order.
    A task that raises ends everything, and its error is raised here in an ``ExceptionGroup``; one that returns is done.
    """
    stop = stop or asyncio.Event()
    health = app.state.health if app is not None else Health()
    health.started = False
    with _stopped_by_signals(stop), contextlib.ExitStack() as ports:
        listening = ports.enter_context(_listen(settings)) if app is not None else None
        grpc_server = _grpc_server(settings, app, servicers, verifier)
        for hook in before:
            await hook()
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(_task(name, task), name=name) for name, task in tasks]
            async with _edges(app, listening, grpc_server, health):
                health.started = True
                _spare_collections()
                log.info("serving", http_port=settings.http_port if app else None, tasks=[name for name, _ in tasks])
                await stop.wait()
                _arm_watchdog()
                deadline = time.monotonic() + STOP_WITHIN_S
                log.info("stopping")
            await _end(running, drain, deadline)
    log.info("stopped")


# Set by ``run``: in a process of its own a stop is final, in somebody's test it must not end the test.
_own_process: ContextVar[bool] = ContextVar("own_process", default=False)


def _arm_watchdog() -> None:
    if _own_process.get():
        asyncio.get_running_loop().call_later(STOP_WITHIN_S + 1, _give_up)


def _give_up() -> None:
    """What hangs now would hang for ever. To end like this is safe: it is what a crash does, and less than a kill."""
    log.error("stopped_by_force", after_s=STOP_WITHIN_S + 1)
    os._exit(1)


def _spare_collections() -> None:
    """What start-up made stays for good: looking through it again and again cost a fifth of all consuming."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def run(settings: KernelSettings, main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run ``main`` on uvloop with logging and telemetry; the exit code: 0 done, 1 crashed, 2 wrongly configured."""
    _own_process.set(True)
    configure_logging(settings.service, settings.log_level)
    telemetry = start_telemetry(settings)
    try:
        _run_loop(main())
        return 0
    except Exception as error:
        return _crashed(error)
    finally:
        telemetry.shutdown()


def _crashed(error: Exception) -> int:
    causes = _leaves(error)
    for cause in causes:
        if isinstance(cause, ConfigError):
            log.error("wrong_configuration", error=str(cause))
        else:
            log.error("crashed", error=type(cause).__name__, exc_info=cause)
    return 2 if all(isinstance(cause, ConfigError) for cause in causes) else 1


def _run_loop(main: Coroutine[Any, Any, None]) -> None:
    if sys.platform == "win32":
        asyncio.run(main)
        return
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def _leaves(error: Exception) -> list[Exception]:
    if not isinstance(error, ExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


async def _task(name: str, task: Callable[[], Awaitable[None]]) -> None:
    try:
        await task()
    except Exception as error:
        log.error("task_crashed", task=name, error=type(error).__name__)
        raise
    log.info("task_done", task=name)


async def _end(running: Sequence[asyncio.Task[None]], drain: Sequence[Hook], deadline: float) -> None:
    try:
        async with asyncio.timeout(max(0.5, deadline - time.monotonic())):
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for hook in drain:
                await hook()
    except TimeoutError:
        # What is not drained now is finished by the next owner or the sweeper: that is what the log is for.
        log.warning("stopped_before_drained", waiting=[task.get_name() for task in running if not task.done()])


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # Windows, or not the main thread
        for number in handled:
            loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            for number in handled:
                loop.remove_signal_handler(number)


@contextlib.contextmanager
def _listen(settings: KernelSettings) -> Iterator[socket.socket]:
    host, port = settings.http_host, settings.http_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"port {port} on {host} is in use: stop what runs there or set {settings.port_variable}"
                ) from None
            raise ConfigError(f"cannot listen on {host}:{port} ({settings.port_variable}): {error.strerror}") from None
        listening.setblocking(False)
        yield listening


@contextlib.asynccontextmanager
async def _edges(
    app: FastAPI | None, listening: socket.socket | None, grpc_server: grpc.aio.Server | None, health: Health
) -> AsyncIterator[None]:
    """HTTP and gRPC, whichever is wanted; leaving stops accepting and lets requests in flight finish."""
    async with contextlib.AsyncExitStack() as open_edges:
        http = await open_edges.enter_async_context(_http(app, listening)) if app and listening else None
        if grpc_server is not None:
            await open_edges.enter_async_context(_grpc(grpc_server, health))
        try:
            yield
        finally:
            health.stopping = True
            if http is not None:
                http.should_exit = True  # both edges stop at the same time, not one after the other


def _grpc_server(
    settings: KernelSettings, app: FastAPI | None, servicers: Sequence[Servicer], verifier: Verifier | None
) -> grpc.aio.Server | None:
    if not servicers:
        return None
    return create_server(servicers, verifier or (app.state.verifier if app else verifier_from(settings)), settings)


class _Uvicorn(uvicorn.Server):
    """Uvicorn whose signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Sockets(WebSocketsSansIOProtocol):
    """Uvicorn's WebSockets, with a way to cut off a client that does not read: closing would wait for it for ever."""

    _slow: asyncio.TimerHandle | None = None

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["state"]["abort"] = self.transport.abort

    def pause_writing(self) -> None:
        super().pause_writing()
        self._slow = self._slow or self.loop.call_later(SLOW_READER_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._not_slow()

    def connection_lost(self, exc: Exception | None) -> None:
        self._not_slow()
        super().connection_lost(exc)

    def _not_slow(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


@contextlib.asynccontextmanager
async def _http(app: FastAPI, listening: socket.socket) -> AsyncIterator[uvicorn.Server]:
    server = _Uvicorn(http_config(app))
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if serving.done():
        await serving
    try:
        yield server
    finally:
        server.should_exit = True
        await serving


def http_config(app: FastAPI) -> uvicorn.Config:
    """How uvicorn serves ``app``: httptools, frames up to 64 KiB, no access log (paths hold tickets), no banner."""
    return uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws=_Sockets,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=int(FINISH_WITHIN_S),
        backlog=2048,
    )


@contextlib.asynccontextmanager
async def _grpc(server: grpc.aio.Server, health: Health) -> AsyncIterator[None]:
    await server.start()
    tracking = asyncio.create_task(track_health(server, health))
    try:
        yield
    finally:
        tracking.cancel()
        await server.stop(FINISH_WITHIN_S)
