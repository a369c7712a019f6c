"""The output topics as strangers read them: kcat, and protoc with the published protos, nothing of ours (AN-4, P6)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import grpc_tools
import pytest

from contactcenter.catalogue import topic
from contactcenter.topics import create_topics
from switchlog.testing import eventually

from .day import Day, made
from .day.publish import publish
from .oracle.decode import decode
from .oracle.recompute import Asked, recompute
from .oracle.topics import read
from .outputs import LEVELS, TIMES
from .serving import serving

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
ROOT = Path(__file__).resolve().parents[2]
DAY = Day(tenant=f"out{uuid4().hex[:8]}", hours=2, contacts_an_hour=80, agents=6)


def kcat(name: str) -> list[tuple[str, bytes]]:
    """Key and value of every record of DAY's tenant."""
    if shutil.which("kcat") is None and not os.environ.get("CI"):
        pytest.skip("kcat is not installed: apt-get install kcat")
    command = ("kcat", "-b", BOOTSTRAP, "-C", "-t", name, "-o", "beginning", "-e", "-q", "-f", r"%K %S\n%k%s\n")
    out = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    found, at = [], 0
    while at < len(out):
        end = out.index(b"\n", at)
        key_length, length = map(int, out[at:end].split())
        key = out[end + 1 : end + 1 + key_length].decode()
        found.append((key, out[end + 1 + key_length : end + 1 + key_length + length]))
        at = end + 2 + key_length + length
    return [(key, value) for key, value in found if key.startswith(f"{DAY.tenant}/")]


def decoded(name: str, value: bytes) -> str:
    """What ``protoc --decode`` makes of it: text, by the .proto files alone."""
    package, _, message = topic(name).message.rpartition(".")
    folder = ROOT / "proto" / package.replace(".", "/")
    includes = [f"-I{ROOT / 'proto'}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}", *_validate()]
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        *includes,
        f"--decode={package}.{message}",
        *folder.glob("rows.proto"),
    ]
    done = subprocess.run(command, input=value, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def _validate() -> list[str]:
    return [f"-I{path}" for path in (ROOT / "proto" / "third_party", ROOT / "proto" / "vendor") if path.is_dir()]


def number(text: str, name: str) -> int:
    """A top-level number; 0 where it is not said."""
    found = re.search(rf"^{name}: (\d+)$", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


@pytest.mark.kafka
@pytest.mark.timeout(180)
async def test_kcat_and_protoc_read_what_the_batch_says(tmp_path):
    await create_topics(BOOTSTRAP)
    await publish(BOOTSTRAP, made(DAY))
    asked = Asked(DAY.tenant, ("queue", "channel"), "15m", "cohort", 20)
    contents = await read(BOOTSTRAP)
    mine = [one for one in contents.records if one.key.startswith(f"{DAY.tenant}/".encode())]
    meant = recompute(decode(mine).tables, DAY.tz, DAY.end).figures(asked)
    async with serving(BOOTSTRAP, tmp_path):

        def newest() -> bool:
            levels = dict(kcat(LEVELS))
            said = {key: decoded(LEVELS, value) for key, value in levels.items() if "/15m/cohort/" in key}
            offered = sum(number(text, "offered") for text in said.values())
            answered = sum(number(text, "answered") for text in said.values())
            assert offered == sum(row["offered"] for row in meant.values()) > 50
            assert answered == sum(row["answered"] for row in meant.values()) > 10
            assert all(f'tenant_id: "{DAY.tenant}"' in text and "formulas: " in text for text in said.values())
            return True

        await eventually(newest, within_s=90)

        def times() -> bool:
            rows = dict(kcat(TIMES))
            text = "".join(decoded(TIMES, value) for value in rows.values())
            assert {f"agent-{n + 1}" for n in range(DAY.agents)} == set(
                re.findall(r'^agent: "(.*)"$', text, re.MULTILINE)
            )
            return True

        await eventually(times, within_s=30)
