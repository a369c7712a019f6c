"""A TCP proxy before a node: it can keep replies back, swallow one reply and hang up, or refuse everybody."""

from __future__ import annotations

import asyncio
from contextlib import suppress

CUT = b"cut-the-reply"


class Proxy:
    """Forwards to ``port``. A request with ``CUT`` in it reaches the node; its reply does not reach the client."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.cuts = 0

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        node, to_node = await asyncio.open_connection("127.0.0.1", self._port)
        cutting = asyncio.Event()
        self._writers |= {to_client, to_node}
        for pump in (self._requests(client, to_node, cutting), self._replies(node, to_client, cutting)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(self, client: asyncio.StreamReader, to_node: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while data := await client.read(1 << 20):
                if CUT in data:
                    cut.set()
                to_node.write(data)
            to_node.close()

    async def _replies(self, node: asyncio.StreamReader, to_client: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while data := await node.read(1 << 20):
                await self.flowing.wait()
                if cut.is_set():
                    self.cuts += 1
                    break
                to_client.write(data)
            to_client.close()
