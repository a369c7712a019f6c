"""Attachments in an object store: a local folder, S3, GCS or Azure behind one API."""

from __future__ import annotations

from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore

from switchlog.errors import NotFound


class StoredAttachments:
    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def put(self, tenant: str, name: str, sealed: bytes) -> None:
        await self._objects.put_async(_path(tenant, name), sealed)

    async def get(self, tenant: str, name: str) -> bytes:
        try:
            found = await self._objects.get_async(_path(tenant, name))
        except (NotFoundError, FileNotFoundError):
            raise NotFound(detail="attachment") from None
        return bytes(await found.bytes_async())


def _path(tenant: str, name: str) -> str:
    return f"{tenant}/attachments/{name}"
