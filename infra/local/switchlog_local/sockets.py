"""Ports and readiness: what a socket on the loopback interface can tell about a server."""

import socket
import time
from contextlib import ExitStack

HOST = "127.0.0.1"

# Metadata v1 (api key 3) for no topic, no client id: the port opens, and ApiVersions answers, seconds before the broker
# is unfenced after a kill -9, so only an answer that names a broker counts.
_METADATA = bytes.fromhex("0000000e0003000100000001ffff00000000")
_ONE_BROKER = bytes.fromhex("0000000100000001")
# CQL native protocol v4: OPTIONS (opcode 5), answered by SUPPORTED (opcode 6)
_OPTIONS = bytes.fromhex("040000000500000000")
_SUPPORTED = 6


def kafka_answers(port: int) -> bool:
    """Does a Metadata request name exactly one broker?"""
    return _ask(port, _METADATA, 12)[4:] == _ONE_BROKER


def cassandra_answers(port: int) -> bool:
    """Is a CQL OPTIONS frame answered?"""
    return _ask(port, _OPTIONS, 5)[4:] == bytes([_SUPPORTED])


def taken(port: int) -> bool:
    """Does another program hold this port?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def comes_free(port: int, within_s: float) -> bool:
    """Can the port be had? A process that was just killed holds its own for a moment."""
    deadline = time.monotonic() + within_s
    while taken(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def _ask(port: int, request: bytes, length: int) -> bytes:
    """The first `length` bytes of the answer; fewer when there is none within two seconds."""
    answer = b""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(request)
            while len(answer) < length and (part := connection.recv(length - len(answer))):
                answer += part
    except OSError:
        return b""
    return answer
