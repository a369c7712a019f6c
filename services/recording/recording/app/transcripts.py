"""Makes the transcript of a leg from its sealed messages, and opens it again for those who may read it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson

from switchlog.errors import Poison

from ..domain.commands import StoreRecording
from ..domain.state import Leg, Stored
from .ports import Line, Objects, SealedText, Sealer

FIELD = "RecordingStored.object"


async def store(
    tenant: str, leg: Leg, lines: Sequence[Line], duration_ms: int, sealer: Sealer, objects: Objects
) -> StoreRecording:
    """Put the sealed transcript into the object store, under a name that holds its sum: what stands is never replaced.

    Raises ``Erased`` when the customer's key is gone.
    """
    opened = [await _said(tenant, leg.customer_ref, line, sealer) for line in lines]
    sealed = await sealer.seal(tenant, leg.customer_ref, FIELD, orjson.dumps(opened))
    digest = sha256(sealed.ciphertext).hexdigest()
    name = f"{tenant}/recordings/{leg.recording}/{digest}"
    await objects.put(name, sealed.ciphertext)
    return StoreRecording(digest, name, len(sealed.ciphertext), duration_ms, len(lines), sealed.key_id, sealed.nonce)


async def read(tenant: str, stored: Stored, sealer: Sealer, objects: Objects) -> list[dict[str, Any]]:
    """The messages in clear. Raises ``NotFound``, ``Erased``, ``Poison("ALTERED")`` when the object is another one."""
    content = await objects.get(stored.object)
    if sha256(content).hexdigest() != stored.sha256:
        raise Poison("ALTERED", stored.leg.recording)
    sealed = SealedText(stored.key_id, stored.nonce, content)
    found: list[dict[str, Any]] = orjson.loads(await sealer.open(tenant, stored.leg.customer_ref, FIELD, sealed))
    return found


async def _said(tenant: str, customer_ref: str, line: Line, sealer: Sealer) -> dict[str, Any]:
    shown: dict[str, Any] = {"message_id": line.message_id, "from": line.side, "kind": line.kind, "at_ms": line.at_ms}
    shown |= {"sender": line.sender} if line.sender else {}
    shown |= {"attachment": line.attachment_ref} if line.attachment_ref else {}
    if line.body is not None:
        shown |= await _text(tenant, customer_ref, line.field, line.body, sealer)
    return shown


async def _text(tenant: str, customer_ref: str, field: str, body: SealedText, sealer: Sealer) -> dict[str, Any]:
    try:
        return {"text": (await sealer.open(tenant, customer_ref, field, body)).decode(errors="replace")}
    except Poison:  # one damaged text must not cost the whole transcript
        return {"unreadable": True}
