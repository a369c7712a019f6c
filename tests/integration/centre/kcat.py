"""The topics as kcat reads them: a consumer that we did not write."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from .plan import BOOTSTRAP

# topic, partition, offset, then the lengths of key and value before their bytes, headers in a line
FORMAT = r"%t %p %o %K %S\n%k%s\n%h\n"


class Record(NamedTuple):
    """A record as it stands on the broker."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]


async def read(topic: str) -> list[Record]:
    """The whole topic. Without kcat the story is skipped, except where everything must be checked."""
    if shutil.which("kcat") is None and not os.environ.get("CI"):
        pytest.skip("kcat is not installed: apt-get install kcat")
    command = ("kcat", "-b", BOOTSTRAP, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", FORMAT)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, told.decode()
    return list(_records(out))


def _records(out: bytes) -> Iterator[Record]:
    at = 0
    while at < len(out):
        line, at = _line(out, at)
        topic, partition, offset, key_length, length = line.split(b" ")
        key_end = at + max(0, int(key_length))
        value_end = key_end + max(0, int(length))
        headers, after = _line(out, value_end + 1)
        pairs = (pair.partition(b"=") for pair in headers.split(b",") if pair)
        told = {name.decode(): value for name, _, value in pairs}
        yield Record(topic.decode(), int(partition), int(offset), out[at:key_end], out[key_end:value_end], told)
        at = after


def _line(out: bytes, at: int) -> tuple[bytes, int]:
    end = out.index(b"\n", at)
    return out[at:end], end + 1
