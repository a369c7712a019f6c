"""A process of its own: it starts in order, stops in order within 10 s, and does not outlive a crashed task."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import httpx2
import pytest
from fastapi import APIRouter

from switchlog.testing import eventually
from switchlog.testing import test_settings as settings_for_tests
from switchlog.web import create_app

PROGRAM = """
import asyncio, sys
from fastapi import APIRouter
from switchlog.runtime import run, serve
from switchlog.testing import TestIssuer, test_settings
from switchlog.web import create_app

settings = test_settings("routing", http_port=int(sys.argv[1]))
router = APIRouter()

@router.get("/slow")
async def slow():
    await asyncio.sleep(1)
    return "done"

def say(what):
    async def hook():
        print("SAY", what, flush=True)
    return hook

async def work():
    try:
        await asyncio.sleep({work})
        {after}
    finally:
        print("SAY task ends", flush=True)

async def stuck():
    await asyncio.sleep(3600)

async def main():
    app = create_app("t", routers=[router], verifier=TestIssuer().verifier, settings=settings)
    await serve(
        settings, app=app, tasks=[("work", work)], before=[say("before 1"), say("before 2")],
        drain=[say("drain"), *([stuck] if {stuck} else [])],
    )
    await asyncio.sleep({hang})

sys.exit(run(settings, main))
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start():
    started = []

    def begin(port, *, work=3600, after="pass", stuck=False, hang=0):
        program = textwrap.dedent(PROGRAM).format(work=work, after=after, stuck=stuck, hang=hang)
        path = os.pathsep.join(sys.path)
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


async def answering(port):
    async with httpx2.AsyncClient(trust_env=False) as http:
        await eventually(lambda: _ready(http, port), within_s=30)


async def _ready(http, port):
    try:
        return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


def ended(process, within_s=10):
    output, _ = process.communicate(timeout=within_s)
    return [line for line in output.splitlines() if line.startswith("SAY")], output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_lets_requests_finish_then_cancels_tasks_then_drains(start, number):
    port = free_port()
    process = start(port)
    await answering(port)
    async with httpx2.AsyncClient(trust_env=False) as http:
        asking = asyncio.create_task(http.get(f"http://127.0.0.1:{port}/slow", timeout=5))
        await asyncio.sleep(0.3)
        stopped_at = time.monotonic()
        process.send_signal(number)
        answered = await asking
    assert answered.json() == "done"
    said, output = await asyncio.to_thread(ended, process)
    assert time.monotonic() - stopped_at < 10
    assert process.returncode == 0, output
    assert said == ["SAY before 1", "SAY before 2", "SAY task ends", "SAY drain"]


async def test_while_stopping_nothing_new_is_accepted(start):
    port = free_port()
    process = start(port)
    await answering(port)
    async with httpx2.AsyncClient(trust_env=False) as http:
        asking = asyncio.create_task(http.get(f"http://127.0.0.1:{port}/slow", timeout=5))
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.4)
        async with httpx2.AsyncClient(trust_env=False) as other:
            with pytest.raises(httpx2.ConnectError):
                await other.get(f"http://127.0.0.1:{port}/healthz")
        await asking
    await asyncio.to_thread(ended, process)


async def test_a_crashed_task_ends_the_process_with_a_failure(start):
    process = start(free_port(), work=0.2, after='raise KeyError("13800138000")')
    _, output = await asyncio.to_thread(ended, process)
    assert process.returncode == 1
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [(e["event"], e["error"]) for e in events if "crash" in e["event"]] == [
        ("task_crashed", "KeyError"),
        ("crashed", "KeyError"),
    ]


async def test_a_task_that_is_done_ends_nothing(start):
    port = free_port()
    process = start(port, work=0)
    await answering(port)
    assert process.poll() is None
    process.terminate()
    await asyncio.to_thread(ended, process)
    assert process.returncode == 0


@pytest.mark.slow
async def test_a_drain_that_hangs_is_given_up_within_ten_seconds(start):
    port = free_port()
    process = start(port, stuck=True)
    await answering(port)
    stopped_at = time.monotonic()
    process.terminate()
    _, output = await asyncio.to_thread(ended, process, 15)
    assert time.monotonic() - stopped_at < 11
    assert "stopped_before_drained" in output


@pytest.mark.slow
async def test_what_hangs_after_a_stop_is_ended_by_force(start):
    """A broker that is away must not keep a process from ending."""
    port = free_port()
    process = start(port, hang=3600)
    await answering(port)
    stopped_at = time.monotonic()
    process.terminate()
    _, output = await asyncio.to_thread(ended, process, 20)
    assert time.monotonic() - stopped_at < 13
    assert process.returncode == 1
    assert "stopped_by_force" in output


async def test_a_taken_port_is_one_clear_line_and_exit_code_2(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(port)
        said, output = await asyncio.to_thread(ended, process)
    assert process.returncode == 2
    assert said == []
    [line] = [json.loads(line) for line in output.splitlines() if "wrong_configuration" in line]
    assert str(port) in line["error"]
    assert "ROUTING_PORT" in line["error"]


async def test_a_slow_start_is_not_ready_and_takes_no_requests(issuer, serving):
    """Hooks run before anybody is let in."""
    app = create_app("testing", verifier=issuer.verifier, settings=settings_for_tests())
    seen = []

    async def before():
        seen.append(app.state.health.started)

    async with serving(app, before=[before]) as http:
        await eventually(lambda: _ready(http, http.settings.http_port))
    assert seen == [False]


async def test_http_and_grpc_run_side_by_side(issuer, serving):
    app = create_app("testing", routers=[APIRouter()], verifier=issuer.verifier, settings=settings_for_tests())
    async with serving(app, servicers=[(lambda servicer, server: None, None)]) as http:
        assert (await http.get("/healthz")).text == "ok"
        with socket.create_connection(("127.0.0.1", http.settings.grpc_port), 1):
            pass
