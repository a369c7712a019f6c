"""The driver behind asyncio: prepared statements, bounded requests, and errors that say what is known of a write."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cassandra import ConsistencyLevel, OperationTimedOut, RequestExecutionException, Unavailable
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.connection import ConnectionBusy, ConnectionException
from cassandra.policies import (
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.protocol import (
    ErrorMessage,
    IsBootstrappingErrorMessage,
    OverloadedErrorMessage,
    RequestValidationException,
)
from cassandra.query import BatchStatement, BatchType, dict_factory, tuple_factory

from switchlog.errors import NotNow, OutcomeUnknown
from switchlog.store.cassandra.schema import OPTIONS, STATEMENTS, TABLES
from switchlog.store.settings import StoreSettings

IN_FLIGHT = 256
WAITING = 4096
TIMEOUT_S = 0.9
MIN_TIMEOUT_S = 0.05
FETCH_SIZE = 1000

# `plain` writes and reads; `serial` reads what conditional writes decide; `condition` answers with column names; `scan`
# may take long.
PLAIN, SERIAL, CONDITION, SCAN = "plain", "serial", "condition", "scan"
TIMEOUTS_S = {PLAIN: TIMEOUT_S, SERIAL: TIMEOUT_S, CONDITION: 2 * TIMEOUT_S, SCAN: 60.0}

_NOTHING_WRITTEN = (NoHostAvailable, Unavailable, OverloadedErrorMessage, IsBootstrappingErrorMessage, ConnectionBusy)
_UNKNOWN = (OperationTimedOut, RequestExecutionException, ConnectionException, ErrorMessage)

Operation = tuple[str, Sequence[Any]]


@dataclass
class Session:
    """One service's keyspace. Operations are named as in ``schema.STATEMENTS``."""

    cluster: Any
    driver: Any
    prepared: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    slots: asyncio.Semaphore
    waiting: int = 0

    async def read(self, name: str, *arguments: Any, profile: str = PLAIN) -> list[tuple[Any, ...]]:
        """All rows. Raises ``NotNow`` when there is no answer."""
        try:
            rows: list[tuple[Any, ...]] = await self._ask(self.prepared[name], arguments, profile)
            return rows
        except OutcomeUnknown as error:
            raise NotNow("STORE_UNAVAILABLE", error.detail) from error

    async def write(self, name: str, *arguments: Any) -> None:
        """Raises ``OutcomeUnknown`` or ``NotNow`` (nothing written)."""
        await self._ask(self.prepared[name], arguments, PLAIN)

    async def write_all(self, operations: Sequence[Operation]) -> None:
        """One unlogged batch: of one partition, or of few rows."""
        await self._ask(self._batch(operations), None, PLAIN)

    async def condition(self, name: str, *arguments: Any) -> dict[str, Any]:
        """A conditional write's answer: ``[applied]`` and, when refused, the columns it depends on."""
        answer: list[dict[str, Any]] = await self._ask(self.prepared[name], arguments, CONDITION)
        return answer[0]

    async def condition_all(self, operations: Sequence[Operation], send_before: float) -> dict[str, Any]:
        """A conditional batch of one partition, not sent at all later than ``send_before`` (monotonic seconds)."""
        answer: list[dict[str, Any]] = await self._ask(self._batch(operations), None, CONDITION, send_before)
        return answer[0]

    async def close(self) -> None:
        await asyncio.to_thread(self.cluster.shutdown)

    def _batch(self, operations: Sequence[Operation]) -> Any:
        batch = BatchStatement(BatchType.UNLOGGED)
        for name, arguments in operations:
            batch.add(self.prepared[name], arguments)
        return batch

    async def _ask(self, statement: Any, arguments: Any, profile: str, send_before: float = float("inf")) -> list[Any]:
        """Waiting for a slot counts: nobody learns later than the profile's time that a node is silent."""
        deadline = time.monotonic() + TIMEOUTS_S[profile]
        await self._slot(deadline)
        try:
            now = time.monotonic()
            if now > send_before:
                raise NotNow("STORE_BUSY", "its mark is too old to start under")
            return await self._send(statement, arguments, profile, max(MIN_TIMEOUT_S, deadline - now))
        finally:
            self.slots.release()

    async def _slot(self, deadline: float) -> None:
        if self.waiting >= WAITING:
            raise NotNow("STORE_BUSY", f"{WAITING} requests are waiting")
        self.waiting += 1
        try:
            if self.slots.locked():
                await asyncio.wait_for(self.slots.acquire(), deadline - time.monotonic())
            else:
                await self.slots.acquire()
        except TimeoutError as error:
            raise NotNow("STORE_BUSY", "no request could be sent in time") from error
        finally:
            self.waiting -= 1

    async def _send(self, statement: Any, arguments: Any, profile: str, timeout_s: float) -> list[Any]:
        answered: asyncio.Future[list[Any]] = self.loop.create_future()
        rows: list[Any] = []

        def page(found: Any) -> None:
            rows.extend(found or ())
            if response.has_more_pages:
                response.start_fetching_next_page()
            else:
                _tell(self.loop, answered, partial(answered.set_result, rows))

        def failed(error: BaseException) -> None:
            _tell(self.loop, answered, partial(answered.set_exception, _translated(error)))

        response = self.driver.execute_async(statement, arguments, timeout=timeout_s, execution_profile=profile)
        response.add_callbacks(page, failed)
        return await answered


def _tell(loop: asyncio.AbstractEventLoop, answered: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    def unless_cancelled() -> None:
        if not answered.done():
            settle()

    try:
        loop.call_soon_threadsafe(unless_cancelled)
    except RuntimeError:  # the loop is closed: nobody waits any more
        logging.getLogger(__name__).debug("answer_after_close")


def _translated(error: BaseException) -> BaseException:
    """``NotNow`` if nothing was written, ``OutcomeUnknown`` if that is open, the error itself if it is a bug."""
    if isinstance(error, _NOTHING_WRITTEN):
        return NotNow("STORE_UNAVAILABLE", _short(error))
    if isinstance(error, _UNKNOWN) and not isinstance(error, RequestValidationException):
        return OutcomeUnknown(detail=_short(error))
    return error


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def connect(settings: StoreSettings, keyspace: str, retry: RetryPolicy) -> tuple[Any, Any, dict[str, Any]]:
    """A cluster, its session in ``keyspace`` with all tables made, the prepared statements. Blocks: for a thread."""
    cluster = Cluster(
        settings.cassandra_hosts,
        port=settings.cassandra_port,
        protocol_version=5,
        execution_profiles=_profiles(retry),
        # without it every request over 4 KiB waits 40 ms
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        reconnection_policy=ConstantReconnectionPolicy(0.5, max_attempts=None),
        connect_timeout=2.0,
        control_connection_timeout=2.0,
        idle_heartbeat_interval=5,
        idle_heartbeat_timeout=2,
        schema_event_refresh_window=-1,  # nobody here looks at the schema
        topology_event_refresh_window=0,
    )
    try:
        driver = cluster.connect()
        driver.use_client_timestamp = False  # the servers' clocks order plain writes: ours may be an hour off
        driver.default_fetch_size = FETCH_SIZE
        _create(driver, keyspace)
        driver.set_keyspace(keyspace)
        prepared = {name: driver.prepare(text) for name, text in STATEMENTS.items()}
    except Exception as error:
        cluster.shutdown()
        known = _translated(error)
        raise NotNow("STORE_UNAVAILABLE", _short(error)) if isinstance(known, NotNow) else known from error
    return cluster, driver, prepared


def _profiles(retry: RetryPolicy) -> dict[str, ExecutionProfile]:
    def profile(level: int, timeout_s: float, rows: Any = tuple_factory) -> ExecutionProfile:
        return ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
            retry_policy=retry,
            consistency_level=level,
            serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
            request_timeout=timeout_s,
            row_factory=rows,
        )

    quorum = ConsistencyLevel.LOCAL_QUORUM
    return {
        EXEC_PROFILE_DEFAULT: profile(quorum, 20.0),  # makes the tables
        PLAIN: profile(quorum, TIMEOUTS_S[PLAIN]),
        SERIAL: profile(ConsistencyLevel.LOCAL_SERIAL, TIMEOUTS_S[SERIAL]),
        CONDITION: profile(quorum, TIMEOUTS_S[CONDITION], dict_factory),
        SCAN: profile(quorum, TIMEOUTS_S[SCAN]),
    }


def _create(driver: Any, keyspace: str) -> None:
    """Make only what is missing: two processes that make the same table at once confuse a cluster."""
    replicas = min(3, len(driver.cluster.metadata.all_hosts()))
    driver.execute(
        f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', 'replication_factor': {replicas}}}"
    )
    found = driver.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,))
    missing = TABLES.keys() - {row[0] for row in found}
    for name in sorted(missing):
        options = f" WITH {OPTIONS[name]}" if name in OPTIONS else ""
        driver.execute(f"CREATE TABLE IF NOT EXISTS {keyspace}.{name} {TABLES[name]}{options}")


async def open_session(settings: StoreSettings, service: str, retry: RetryPolicy | None = None) -> Session:
    """Raises ``NotNow`` when no node answers. ``retry`` is for the test that shows what the driver's default does."""
    keyspace = f"{settings.keyspace_prefix}{service}"
    connected = await asyncio.to_thread(connect, settings, keyspace, retry or FallthroughRetryPolicy())
    return Session(*connected, asyncio.get_running_loop(), asyncio.Semaphore(IN_FLIGHT))
