"""The catalogue on a real broker: created once, kept the second time, refused with another count."""

import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contactcenter import catalogue
from contactcenter.topics import create_topics

pytestmark = pytest.mark.kafka
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")


@pytest.fixture
async def admin() -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def prefix(admin: AIOKafkaAdminClient) -> AsyncIterator[str]:
    mine = f"t{uuid.uuid4().hex[:10]}."
    yield mine
    await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(mine)])


async def test_topics_are_created_once_and_kept_after(admin: AIOKafkaAdminClient, prefix: str) -> None:
    first = await create_topics(BOOTSTRAP, prefix=prefix)
    second = await create_topics(BOOTSTRAP, prefix=prefix)
    assert set(first) == {prefix + topic.name for topic in catalogue.TOPICS}
    assert (set(first.values()), set(second.values())) == ({True}, {False})
    described = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(list(first))}
    assert described == {prefix + each.name: max(1, each.partitions // 12) for each in catalogue.TOPICS}


async def test_the_broker_keeps_the_settings(admin: AIOKafkaAdminClient, prefix: str) -> None:
    topic = catalogue.dead_letters(catalogue.topic("contact.events.v1"), "routing-forward")
    await create_topics(BOOTSTRAP, prefix=prefix, topics=[topic, catalogue.topic("routing.config.v1")])
    for each in (topic, catalogue.topic("routing.config.v1")):
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, prefix + each.name)])
        kept = {entry[0]: entry[1] for entry in answer.resources[0][4]}
        assert {name: kept[name] for name in each.config} == each.config


async def test_another_partition_count_is_refused(prefix: str) -> None:
    """P10"""
    topic = catalogue.topic("routing.config.v1")
    await create_topics(BOOTSTRAP, 1, prefix, topics=[replace(topic, partitions=2)])
    with pytest.raises(ValueError, match="has 2 partitions, not 12"):
        await create_topics(BOOTSTRAP, 1, prefix, topics=[topic])
