"""A server process that outlives its starter: pid file, signals, and a death that is noticed."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from switchlog_local.errors import StartFailed

_children: dict[int, subprocess.Popen[bytes]] = {}  # ours to reap; what another run started is init's


def spawn(command: Sequence[str], pid_file: Path, log: Path, environment: Mapping[str, str]) -> int:
    """Start in a session of its own, so that Ctrl-C in the starter's terminal does not reach it; returns the pid."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    _children[child.pid] = child
    pid_file.write_text(f"{child.pid} {psutil.Process(child.pid).create_time():.2f}")
    return child.pid


def find(pid_file: Path) -> int | None:
    """The pid of the live process that the file names; None when it ended, even if the number is in use again."""
    try:
        pid, born = pid_file.read_text().split()
        process = psutil.Process(int(pid))
        return process.pid if _alive(process) and abs(process.create_time() - float(born)) < 1 else None
    except (OSError, ValueError, psutil.Error):
        return None


def _alive(process: psutil.Process) -> bool:
    """A stranger that is a zombie is dead (it stays where no init reaps orphans); our own is when all threads are."""
    if child := _children.get(process.pid):
        return child.poll() is None
    return bool(process.status() != psutil.STATUS_ZOMBIE)


def send(pid: int, number: signal.Signals) -> None:
    """Signal it; it may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def freeze(pid: int, timeout_s: float = 5) -> None:
    """SIGSTOP, until every thread stands: one that runs on another core can still answer after the signal was sent.

    Raises TimeoutError when one still runs after ``timeout_s``.
    """
    send(pid, signal.SIGSTOP)
    deadline = time.monotonic() + timeout_s
    while not _stands(pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} still runs {timeout_s} s after SIGSTOP")
        time.sleep(0.002)


def _stands(pid: int) -> bool:
    try:
        if not (threads := Path(f"/proc/{pid}/task")).exists():  # not Linux: the whole process only
            return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        states = [(thread / "stat").read_text().rpartition(") ")[2][0] for thread in threads.iterdir()]
        return set(states) <= {"T", "t"}
    except (OSError, psutil.Error):
        return not psutil.pid_exists(pid)  # a thread of it ended meanwhile: look again


def wait_gone(pid_file: Path, timeout_s: float) -> bool:
    """Has it ended within the time?"""
    deadline = time.monotonic() + timeout_s
    while find(pid_file) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def run(command: Sequence[str], name: str) -> None:
    """A short program to its end; raises StartFailed with what it printed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartFailed(f"{name}: {done.stderr.strip() or done.stdout.strip()}")
