"""A real server for the edges' tests: attacks are made over a socket, not past one."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from switchlog.log import configure_logging, log_plainly
from switchlog.runtime import serve
from switchlog.testing import TestIssuer, eventually
from switchlog.testing import test_settings as settings_for_tests

Serving = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer()


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    configure_logging("testing", "DEBUG", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().split("\n") if line]
    log_plainly()
    root.handlers[:], _ = before
    root.setLevel(before[1])


@pytest.fixture
def serving() -> Serving:
    """``async with serving(app) as http:`` runs ``app`` as a process would, on a free port."""

    @asynccontextmanager
    async def served(app: FastAPI | None = None, **more: Any) -> AsyncIterator[httpx2.AsyncClient]:
        settings = settings_for_tests(http_port=free_port(), grpc_port=free_port())
        stop = asyncio.Event()
        running = asyncio.create_task(serve(settings, app=app, stop=stop, **more))
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{settings.http_port}", trust_env=False) as http:
            http.settings = settings
            await eventually(lambda: running.done() or _listens(settings.http_port if app else settings.grpc_port))
            try:
                yield http
            finally:
                stop.set()
                await running

    return served


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
