"""Files that hold a secret: created once, readable by their owner only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from switchlog.ids import new_id


def load_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """What ``path`` holds; made by ``make`` on first use (mode 600). Two creators at once read back the same one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = write_private(path.with_name(f".{path.name}.{new_id()}"), make())
        try:
            os.link(draft, path)  # fails if somebody else was first: theirs stands
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def write_private(path: Path, content: bytes) -> Path:
    """Write ``path`` (mode 600 from its first byte on), replacing what stood there at once; returns it."""
    draft = path.with_name(f"{path.name}.{new_id()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft.replace(path)
