"""The jars of a server: fetched once by pinned Maven coordinates, checked against the committed sha256 sums."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import Artifact, MavenContext, PythonResolver

from switchlog_local.errors import BadJar, NoNetwork
from switchlog_local.files import exclusive, sha256

Say = Callable[[str], None]


@dataclass(frozen=True)
class Jar:
    """One line of a lock: the sum and `group:artifact:version[:classifier]`."""

    sum: str
    group: str
    artifact: str
    version: str
    classifier: str = ""

    def __str__(self) -> str:
        return ":".join(filter(None, (self.group, self.artifact, self.version, self.classifier)))


def read_lock(lock: Path) -> list[Jar]:
    """Every jar that the lock names, in its order."""
    lines = (line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(total, *coordinates.split(":")) for total, coordinates in lines]


def class_path(name: str, lock: Path, home: Path, say: Say) -> str:
    """The class path in a fixed order (a class archive is valid for one order only), after fetching what is missing.

    Raises NoNetwork, BadJar.
    """
    jars = read_lock(lock)
    home.mkdir(parents=True, exist_ok=True)
    context = MavenContext(resolver=PythonResolver(), repo_cache=home / "jars", timeout=60)
    stamp, want = home / "jars.stamp", sha256(lock)
    with exclusive(home / "jars.lock"):  # several test runs share the folder
        if not stamp.exists() or stamp.read_text() != want:
            _fetch_all(name, jars, context, say)
            stamp.write_text(want)
    return ":".join(str(_place(jar, context)) for jar in jars)


def write_lock(coordinates: list[str], lock: Path, home: Path) -> int:
    """Resolve the coordinates with all they need, and write the lock anew; returns the number of jars."""
    context = MavenContext(resolver=PythonResolver(), repo_cache=home / "jars", timeout=60)
    wanted = [context.create_dependency(spec) for spec in coordinates]
    inputs, transitive = context.resolver.resolve(wanted)
    found = {_lock_line(dependency.artifact) for dependency in [*inputs, *transitive]}
    body = "\n".join(sorted(found, key=lambda line: line.split()[1]))
    lock.write_text(f"# sha256 and Maven coordinates of {' '.join(coordinates)} with all they need\n{body}\n")
    return len(found)


def _lock_line(artifact: Artifact) -> str:
    jar = Jar(sha256(artifact.resolve()), artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier)
    return f"{jar.sum}  {jar}"


def _fetch_all(name: str, jars: list[Jar], context: MavenContext, say: Say) -> None:
    missing = [jar for jar in jars if not _intact(jar, context)]
    if not missing:
        return
    say(f"{name}: fetching {len(missing)} of {len(jars)} jars")
    done, size, last = 0, 0, time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(_fetch, name, jar, context) for jar in missing]
        for fetched in as_completed(tasks):
            if fetched.exception():
                pool.shutdown(wait=False, cancel_futures=True)
            done, size = done + 1, size + fetched.result().stat().st_size
            if time.monotonic() - last > 2 or done == len(missing):
                say(f"{name}: {done} of {len(missing)} jars, {size / 1e6:.0f} MB")
                last = time.monotonic()


def _fetch(name: str, jar: Jar, context: MavenContext) -> Path:
    path = _place(jar, context)
    try:
        _resolve(_artifact(jar, context), path)
    except OSError as error:
        raise NoNetwork(
            f"{name}: jars are missing and the Maven registry can't be reached ({type(error).__name__}); "
            "go on-line once, afterwards it starts without"
        ) from error
    if not _intact(jar, context):
        path.unlink()
        raise BadJar(f"{name}: {jar} is not the file that the lock names by its sha256; it was thrown away")
    return path


def _resolve(artifact: Artifact, path: Path) -> None:
    """Three tries, a second apart; an interrupted one leaves half a file."""
    for last in (False, False, True):
        path.unlink(missing_ok=True)
        try:
            artifact.resolve()
            return
        except OSError:
            if last:
                raise
            time.sleep(1)


def _artifact(jar: Jar, context: MavenContext) -> Artifact:
    return context.project(jar.group, jar.artifact).at_version(jar.version).artifact(classifier=jar.classifier)


def _place(jar: Jar, context: MavenContext) -> Path:
    path = _artifact(jar, context).cached_path
    assert path is not None, "the context has a cache folder"
    return path


def _intact(jar: Jar, context: MavenContext) -> bool:
    path = _place(jar, context)
    return path.exists() and sha256(path) == jar.sum
