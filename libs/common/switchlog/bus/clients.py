"""The only makers of Kafka clients: writing is idempotent and acknowledged by all, reading never commits by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from switchlog.errors import NotNow

# A relay batch is at most 512 KiB (kernel rule 11) and a topic takes 1 MiB; aiokafka's own limit is 16 KiB a batch.
MAX_BATCH_BYTES = 512 * 1024
MAX_REQUEST_BYTES = 1024 * 1024
# TLS and SASL, under aiokafka's own names (``security_protocol``, ``ssl_context``, ``sasl_mechanism`` ...).
Security = Mapping[str, Any]


def producer(
    bootstrap: str, client_id: str = "switchlog", *, linger_ms: int = 0, security: Security | None = None
) -> AIOKafkaProducer:
    """An idempotent producer, not started; acks=all, murmur2 of the key as in Java (aiokafka's default partitioner).

    Throw it away after an error that can't be retried (kernel rule 12).
    """
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        linger_ms=linger_ms,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=30_000,
        metadata_max_age_ms=60_000,
        **(security or {}),
    )


def consumer(
    bootstrap: str,
    group: str | None,
    topics: Sequence[str] = (),
    listener: ConsumerRebalanceListener | None = None,
    *,
    client_id: str = "switchlog",
    session_timeout_ms: int = 6_000,
    partition_bytes: int = 1024 * 1024,
    instance: str | None = None,
    security: Security | None = None,
) -> AIOKafkaConsumer:
    """A consumer, not started; it commits only what it is told to and begins a new group at the earliest record.

    A killed member's partitions move after ``session_timeout_ms``, a newcomer waits for one heartbeat.
    ``instance`` names a static member: it comes back to its partitions after a restart without a rebalance.
    ``fetch_max_wait_ms`` is how long a resumed partition may wait for the fetch of the others; new records end it.
    """
    made = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=instance,
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_min_bytes=1,
        fetch_max_wait_ms=250,
        max_partition_fetch_bytes=partition_bytes,
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=max(100, session_timeout_ms // 6),
        # handlers may wait long for a dependency; liveness is the heartbeat's matter
        max_poll_interval_ms=600_000,
        rebalance_timeout_ms=30_000,
        metadata_max_age_ms=10_000,  # a topic that is made later is found within this
        **(security or {}),
    )
    if topics:
        made.subscribe(list(topics), listener=listener)
    return made


def admin(bootstrap: str, *, security: Security | None = None) -> AIOKafkaAdminClient:
    """An admin client, not started (its ``close`` is a coroutine)."""
    return AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="switchlog-admin", **(security or {}))


async def ensure_topic(
    bootstrap: str,
    topic: str,
    partitions: int,
    config: Mapping[str, str] | None = None,
    *,
    replication: int | None = None,
    security: Security | None = None,
) -> bool:
    """Create ``topic`` unless it is there; True when made. ``replication`` is by default 3 or what the brokers allow.

    Raises ``NotNow`` while the broker is away.
    """
    client = admin(bootstrap, security=security)
    try:
        await client.start()
        if topic in await client.list_topics():
            return False  # where topics are declared, we may not be allowed to make any
        copies = replication or min(3, len((await client.describe_cluster())["brokers"]))
        asked = NewTopic(topic, partitions, copies, topic_configs=dict(config or {}))
        return _created((await client.create_topics([asked])).topic_errors[0])
    except KafkaError as error:
        if not error.retriable:
            raise
        raise NotNow("KAFKA_AWAY", type(error).__name__) from error
    finally:
        await client.close()


def _created(outcome: Sequence[Any]) -> bool:
    error = for_code(outcome[1])
    if error is TopicAlreadyExistsError:
        return False
    if outcome[1]:
        raise error(f"{outcome[0]}: {outcome[-1]}")
    return True
