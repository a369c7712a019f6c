"""A real broker: what was acknowledged survives, and start, stop, kill and freeze do what they say."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from switchlog_local import Kafka, PortTaken, Server, free_ports

pytestmark = pytest.mark.kafka


async def test_acknowledged_records_survive_a_kill_and_a_stop(kafka: Server):
    await asyncio.to_thread(kafka.start)
    await make_topic(kafka)
    await send(kafka, [b"1", b"2"])
    await asyncio.to_thread(kafka.kill)
    assert not kafka.ready()
    await asyncio.to_thread(kafka.start)
    assert await read(kafka) == [b"1", b"2"]
    await send(kafka, [b"3"])
    await asyncio.to_thread(kafka.stop)
    await asyncio.to_thread(kafka.start)
    assert await read(kafka) == [b"1", b"2", b"3"]


def test_a_second_start_finds_the_first(kafka: Server):
    kafka.start()
    first = kafka.pid
    replace(kafka).start()
    assert kafka.pid == first is not None


def test_a_frozen_broker_runs_without_serving_until_it_thaws(kafka: Server):
    kafka.start()
    kafka.freeze()
    assert kafka.pid is not None
    assert not kafka.ready()
    kafka.thaw()
    assert kafka.ready()


def test_a_frozen_broker_can_be_stopped(kafka: Server):
    kafka.start()
    kafka.freeze()
    kafka.stop()
    assert kafka.pid is None


def test_a_taken_port_is_named_with_the_variable_to_change(kafka: Server, tmp_path):
    kafka.start()
    other = Kafka(tmp_path / "other", kafka.port, free_ports(1)[0])
    with pytest.raises(PortTaken, match=rf"port {kafka.port} .*KAFKA_PORT"):
        other.start()


def test_brokers_side_by_side_are_strangers(kafka: Server, tmp_path):
    other = Kafka(tmp_path / "other", *free_ports(2))
    try:
        kafka.start()
        other.start()
        kafka.kill()
        assert other.ready()
    finally:
        other.wipe()


def test_wiping_leaves_nothing(kafka: Server):
    kafka.start()
    kafka.wipe()
    assert kafka.pid is None
    assert not kafka.root.exists()


async def make_topic(server: Server) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.address)
    await admin.start()
    await admin.create_topics([NewTopic("t", 1, 1)])
    await admin.close()


async def send(server: Server, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=server.address, acks="all", enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait("t", value)


async def read(server: Server) -> list[bytes]:
    partition, found = TopicPartition("t", 0), []
    async with AIOKafkaConsumer(bootstrap_servers=server.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        async with asyncio.timeout(20):
            while len(found) < end:
                batches = await consumer.getmany(partition, timeout_ms=1000)
                found += [record.value for batch in batches.values() for record in batch]
    return found
