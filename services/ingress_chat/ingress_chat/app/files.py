"""Files in a conversation: sniffed, sealed under the customer's key, named by us."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256

import puremagic

from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.envelope import StreamId
from switchlog.errors import NotFound, TooLarge
from switchlog.ids import derived

from ..domain.events import MessageKind, SealedText
from .handlers import Chats
from .history import check_reader, customer_of
from .ports import Attachments, Sealer

MAX_FILE_BYTES = 25 * 1024 * 1024
FIELD = "Attachment.content"
OFFICE = ("wordprocessingml.document", "presentationml.presentation", "spreadsheetml.sheet")
KINDS = {
    "image/png": MessageKind.IMAGE,
    "image/jpeg": MessageKind.IMAGE,
    "image/gif": MessageKind.IMAGE,
    "image/webp": MessageKind.IMAGE,
    "audio/mpeg": MessageKind.AUDIO,
    "audio/wav": MessageKind.AUDIO,
    "audio/ogg": MessageKind.AUDIO,
    "video/mp4": MessageKind.VIDEO,
    "video/webm": MessageKind.VIDEO,
    "application/pdf": MessageKind.FILE,
    "application/zip": MessageKind.FILE,
    "text/plain": MessageKind.FILE,
}
ALIASES = {
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "application/ogg": "audio/ogg",
    # office documents are archives; which kind of archive is not for us to say
    **{f"application/vnd.openxmlformats-officedocument.{kind}": "application/zip" for kind in OFFICE},
}
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MARKUP = re.compile(rb"\A(\xef\xbb\xbf)?\s*<|<\s*(!doctype|\?xml|html|head|body|script|svg|iframe)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stored:
    ref: str
    kind: MessageKind
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Files:
    chats: Chats
    sealer: Sealer
    attachments: Attachments

    async def store(self, contact: StreamId, caller: Principal, chunks: AsyncIterator[bytes]) -> Stored:
        """Raises ``TooLarge`` over 25 MiB and ``Rejected("FILE_TYPE_REFUSED")`` for what is not on the list."""
        state = await self.chats.state(contact)
        check_reader(caller, contact, state)
        content = await _collect(chunks)
        kind = KINDS[sniff(content)]
        ref = derived(contact.key, sha256(content).hexdigest())
        sealed = await self.sealer.seal(contact.tenant, customer_of(state), FIELD, content)
        await self.attachments.put(contact.tenant, _object(contact, ref), _packed(sealed))
        return Stored(ref, kind, len(content))

    async def load(self, contact: StreamId, caller: Principal, ref: str) -> Content:
        """Raises ``NotFound`` for an unknown file and after the customer was erased."""
        state = await self.chats.state(contact)
        check_reader(caller, contact, state)
        packed = await self.attachments.get(contact.tenant, _object(contact, ref))
        content = await self.sealer.open(contact.tenant, customer_of(state), FIELD, _unpacked(packed))
        return Content(content, sniff(content))


def sniff(content: bytes) -> str:
    """The media type that the bytes themselves show; raises ``Rejected`` unless it is on the list."""
    if found := _magic(content):
        return found
    if not _is_plain(content):
        raise Rejected("FILE_TYPE_REFUSED", "images, sound, video, PDF, zip and plain text are taken", invalid=True)
    return "text/plain"


def _magic(content: bytes) -> str | None:
    """The first type on our list that the beginning has the mark of; that of text is none."""
    try:
        marks = puremagic.magic_string(content[:4096])
    except (puremagic.PureError, ValueError):
        return None
    found = (ALIASES.get(mark.mime_type, mark.mime_type) for mark in marks)
    return next((kind for kind in found if kind in KINDS and kind != "text/plain"), None)


def _is_plain(content: bytes) -> bool:
    """UTF-8 without control bytes; markup that a browser would run is not plain text, whatever it is called."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not (_BINARY.search(content) or _MARKUP.search(content))


async def _collect(chunks: AsyncIterator[bytes]) -> bytes:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_FILE_BYTES:
            raise TooLarge(detail=f"a file is at most {MAX_FILE_BYTES} bytes")
    if not content:
        raise Rejected("EMPTY_FILE", invalid=True)
    return bytes(content)


def _object(contact: StreamId, ref: str) -> str:
    return f"{contact.name}/{ref}"


def _packed(sealed: SealedText) -> bytes:
    key_id = sealed.key_id.encode()
    return bytes([len(key_id), len(sealed.nonce)]) + key_id + sealed.nonce + sealed.ciphertext


def _unpacked(packed: bytes) -> SealedText:
    if len(packed) < 2:
        raise NotFound(detail="empty object")
    key_end = 2 + packed[0]
    nonce_end = key_end + packed[1]
    return SealedText(packed[2:key_end].decode(), packed[key_end:nonce_end], packed[nonce_end:])
