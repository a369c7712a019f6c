"""An object store: a local folder, S3, GCS or Azure behind one API."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import urlsplit

from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore, from_url

from switchlog.errors import NotFound


class StoredObjects:
    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def put(self, name: str, content: bytes) -> None:
        await self._objects.put_async(name, content)

    async def get(self, name: str) -> bytes:
        try:
            found = await self._objects.get_async(name)
        except (NotFoundError, FileNotFoundError):
            raise NotFound(detail="recording's object") from None
        return bytes(await found.bytes_async())

    async def delete(self, name: str) -> None:
        with contextlib.suppress(NotFoundError, FileNotFoundError):
            await self._objects.delete_async(name)


def open_objects(url: str) -> ObjectStore:
    """A folder is made on first use; S3, GCS and Azure take their settings from their own environment."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        Path(parts.path).mkdir(parents=True, exist_ok=True)
    return from_url(url)
