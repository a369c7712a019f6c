"""A Kafka broker and a Cassandra node as objects that start, stop, die and freeze; several side by side are fine."""

import os
import shutil
import signal
import string
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from switchlog_local import jars, process, sockets
from switchlog_local.errors import PortTaken, StartFailed
from switchlog_local.files import exclusive
from switchlog_local.java import base_archive, find_java
from switchlog_local.settings import Settings

CONF = Path(__file__).parent / "conf"
QUICK = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
)  # a laptop wants a quick start, not the last tenth of throughput


Say = Callable[[str], None]


def say(line: str) -> None:
    """Progress for a person, away from standard output."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Server:
    """One instance. `root` holds all that it writes; `ports` maps the variable that sets a port to its number.

    Every call blocks: from a coroutine use `asyncio.to_thread`. The process outlives its starter.
    """

    name: str
    root: Path
    ports: Mapping[str, int]
    options: Callable[["Server", str], list[str]]  # class path -> what follows `java`; writes the configuration files
    prepare: Callable[["Server", list[str]], None]  # what must be done once before the first start, given `java …`
    answers: Callable[[int], bool]  # does the port for clients serve?
    settings: Settings
    say: Say
    ready_within_s: float = 90

    @property
    def port(self) -> int:
        """The port for clients."""
        return next(iter(self.ports.values()))

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{sockets.HOST}:{self.port}"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def pid(self) -> int | None:
        """None when it does not run."""
        return process.find(self.root / "pid")

    def ready(self) -> bool:
        """Does it run and serve?"""
        return self.pid is not None and self.answers(self.port)

    def start(self) -> None:
        """Fetch what is missing, start, wait until it serves; nothing to do when it does already.

        Raises PortTaken, NoJava, NoNetwork, BadJar, StartFailed.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        with exclusive(self.root / "start.lock"):
            if self.pid is None:
                self._check_ports()
                self._launch()
            self._wait_ready()

    def stop(self, within_s: float = 30) -> None:
        """Ask it to end and wait; kill it when it takes too long. The first stop also writes the class archive."""
        if pid := self.pid:
            process.send(pid, signal.SIGCONT)
            process.send(pid, signal.SIGTERM)
            if not process.wait_gone(self.root / "pid", within_s):
                self.kill()
            self._keep_archive()
        (self.root / "pid").unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL: what a power cut does to the process."""
        if pid := self.pid:
            process.send(pid, signal.SIGKILL)
            process.wait_gone(self.root / "pid", 10)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        if pid := self.pid:
            process.freeze(pid)

    def thaw(self) -> None:
        """SIGCONT: it goes on as if nothing had happened."""
        if pid := self.pid:
            process.send(pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Kill it and throw away its data and logs."""
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def _shared(self) -> Path:
        return self.settings.servers / self.name

    def _check_ports(self) -> None:
        for variable, port in self.ports.items():
            if not sockets.comes_free(port, 1):
                raise PortTaken(f"{self.name}: port {port} is in use by another program; set {variable} to a free one")

    def _launch(self) -> None:
        java = find_java(self.settings.java)
        class_path = jars.class_path(self.name, CONF / f"{self.name}.sha256", self._shared, self.say)
        base = base_archive(java, self.settings.servers, self.say)
        options = self.options(self, class_path)
        self.prepare(self, [str(java), *QUICK, "-cp", class_path])
        command = [str(java), *QUICK, *self._archive_options(base), "-cp", class_path, *options]
        process.spawn(command, self.root / "pid", self.logs / "stdout.log", {"MALLOC_ARENA_MAX": "2"})

    def _archive_options(self, base: Path | None) -> list[str]:
        """Start-up time halves with an archive of preloaded classes, which the first clean stop writes."""
        archive = self._shared / "classes.jsa"
        if archive.exists() and base:
            return [f"-XX:SharedArchiveFile={base}:{archive}", "-Xlog:cds=off"]
        if base:
            return [
                f"-XX:SharedArchiveFile={base}",
                f"-XX:ArchiveClassesAtExit={self.root / 'classes.jsa'}",
                "-Xlog:disable",
            ]
        return []

    def _keep_archive(self) -> None:
        """Made aside and moved, as another instance may be starting from the shared one."""
        made = self.root / "classes.jsa"
        if made.exists():
            os.replace(made, self._shared / "classes.jsa")

    def _wait_ready(self) -> None:
        began, pause = time.monotonic(), 0.05
        while not self.answers(self.port):
            if self.pid is None:
                raise StartFailed(f"{self.name}: ended while starting\n{self._tail()}")
            if time.monotonic() - began > self.ready_within_s:
                raise StartFailed(f"{self.name}: not ready after {self.ready_within_s:.0f} s\n{self._tail()}")
            time.sleep(pause)

    def _tail(self) -> str:
        log = self.logs / "stdout.log"
        lines = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
        return "\n".join([*lines, f"(the whole log: {log})"])


def Kafka(
    root: Path, port: int, controller_port: int | None = None, *, settings: Settings | None = None, say: Say = say
) -> Server:
    """A broker that is its own controller, on `port` and `controller_port` (default port + 1)."""
    ports = {"KAFKA_PORT": port, "KAFKA_CONTROLLER_PORT": controller_port or port + 1}
    answers, chosen = sockets.kafka_answers, settings or Settings()
    return Server("kafka", root.resolve(), ports, _kafka_options, _format_log, answers, chosen, say)


def Cassandra(root: Path, port: int, storage_port: int, *, settings: Settings | None = None, say: Say = say) -> Server:
    """A one-node cluster; `storage_port` is the one nodes would use among themselves."""
    ports = {"CASSANDRA_PORT": port, "CASSANDRA_STORAGE_PORT": storage_port}
    answers, chosen = sockets.cassandra_answers, settings or Settings()
    return Server("cassandra", root.resolve(), ports, _cassandra_options, _nothing, answers, chosen, say)


def start_all(servers: list[Server]) -> None:
    """All at once; the first error is raised when every one has come to an end."""
    with ThreadPoolExecutor(len(servers) or 1) as pool:
        for outcome in [pool.submit(server.start) for server in servers]:
            outcome.result()


def stop_all(servers: list[Server]) -> None:
    """All at once."""
    with ThreadPoolExecutor(len(servers) or 1) as pool:
        list(pool.map(Server.stop, servers))


def _fill(template: str, target: Path, **values: object) -> Path:
    target.write_text(string.Template((CONF / template).read_text()).substitute(values))
    return target


def _kafka_properties(server: Server) -> Path:
    port, controller_port = server.ports.values()
    target = server.root / "kafka.properties"
    return _fill("kafka.properties", target, port=port, controller_port=controller_port, data=server.data)


def _kafka_options(server: Server, class_path: str) -> list[str]:
    return [
        *("-Xms64m", "-Xmx256m", "-Xss512k", "-XX:+ExitOnOutOfMemoryError"),
        *("-Dorg.slf4j.simpleLogger.logFile=System.out", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"),
        *("kafka.Kafka", str(_kafka_properties(server))),
    ]


def _format_log(server: Server, java: list[str]) -> None:
    if (server.data / "meta.properties").exists():
        return
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    tool = ["kafka.tools.StorageTool", "format", "-t", "bG9jYWwta2Fma2EtMDAwMQ", "-c", str(_kafka_properties(server))]
    process.run([*java, quiet, *tool], server.name)


def _cassandra_options(server: Server, class_path: str) -> list[str]:
    port, storage_port = server.ports.values()
    config = _fill("cassandra.yaml", server.root / "cassandra.yaml", port=port, storage_port=storage_port)
    temporary = server.root / "tmp"
    for folder in (server.data, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    return [
        f"@{CONF / 'cassandra.jvm'}",
        f"-Dcassandra.config=file://{config}",
        f"-Dcassandra.storagedir={server.data}",
        f"-Dcassandra.logdir={server.logs}",
        f"-Dlogback.configurationFile={CONF / 'logback.xml'}",
        f"-Djava.io.tmpdir={temporary}",
        "-Dcassandra-foreground=yes",
        "org.apache.cassandra.service.CassandraDaemon",
    ]


def _nothing(server: Server, java: list[str]) -> None:
    """Cassandra makes its folders by itself."""
