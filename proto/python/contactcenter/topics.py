"""Creates the catalogue's topics on a broker: ``python -m contactcenter.topics --bootstrap HOST:PORT [--local]``."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from dataclasses import replace

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from contactcenter.catalogue import TOPICS, Topic

# 48 -> 4, 24 -> 2, 12 -> 1, dead letters 6 -> 1: enough to see several partitions at work on one machine
LOCAL_DIVISOR = 12
SETTLE_S = 30


async def create_topics(
    bootstrap: str,
    divide_by: int = LOCAL_DIVISOR,
    prefix: str = "",
    *,
    topics: Iterable[Topic] = TOPICS,
    replication: int = 1,
) -> dict[str, bool]:
    """Creates ``topics``, each name after ``prefix``, those that exist left as they are; name -> whether it is new.

    Partition counts are divided by ``divide_by``, at least 1. Raises ``ValueError`` when a topic exists with another
    count (a key would move, P10), ``aiokafka.errors.KafkaError`` when the broker refuses, ``TimeoutError`` when it does
    not show them within 30 s.
    """
    wanted = [scaled(topic, divide_by, prefix) for topic in topics]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        asked = [NewTopic(each.name, each.partitions, replication, topic_configs=each.config) for each in wanted]
        answer = await admin.create_topics(asked)
        created = {name: _is_new(code, message) for name, code, message in answer.topic_errors}
        # the broker answers before its metadata are everywhere: whoever awaits us can use the topics at once
        counts = await asyncio.wait_for(_settled(admin, list(created)), SETTLE_S)
    finally:
        await admin.close()
    _check(wanted, counts)
    return {each.name: created[each.name] for each in wanted}


def scaled(topic: Topic, divide_by: int, prefix: str = "") -> Topic:
    """``topic`` as it is created on a smaller broker."""
    return replace(topic, name=prefix + topic.name, partitions=max(1, topic.partitions // divide_by))


def _is_new(code: int, message: str | None) -> bool:
    error = for_code(code)
    if code and error is not TopicAlreadyExistsError:
        raise error(message)
    return not code


async def _settled(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """The partition counts of topics that exist, as soon as the broker's metadata know all of them."""
    while True:
        described = await admin.describe_topics(names)
        counts = {each["topic"]: len(each["partitions"]) for each in described if not each["error_code"]}
        if all(counts.get(name) for name in names):
            return counts
        await asyncio.sleep(0.05)


def _check(wanted: list[Topic], counts: dict[str, int]) -> None:
    wrong = [
        f"{each.name} has {counts[each.name]} partitions, not {each.partitions}"
        for each in wanted
        if counts[each.name] != each.partitions
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m contactcenter.topics", description=__doc__)
    parser.add_argument("--bootstrap", required=True, help="the broker, HOST:PORT")
    parser.add_argument("--local", action="store_true", help=f"counts divided by {LOCAL_DIVISOR}, one replica")
    parser.add_argument("--replication", type=int, default=3, help="replicas of each partition (not with --local)")
    parser.add_argument("--prefix", default="", help="put before each topic's name")
    return parser.parse_args()


def main() -> None:
    options = _arguments()
    divide_by, replication = (LOCAL_DIVISOR, 1) if options.local else (1, options.replication)
    made = asyncio.run(create_topics(options.bootstrap, divide_by, options.prefix, replication=replication))
    for name, new in made.items():
        print(f"{'created' if new else 'kept   '}  {name}")


if __name__ == "__main__":
    main()
