"""Personal text under a key of its subject: erase the key and the text is gone everywhere (contracts, Personal text).

A subject's key is random and stands wrapped by a master key in the key table of the service that owns subjects. Text is
sealed once, at the door, under a fresh random nonce; the sealed bytes are stored, so a repeat is identical.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from switchlog.config import ConfigError, KernelSettings
from switchlog.errors import NotFound, Poison
from switchlog.secretfile import load_or_create
from switchlog.store import KeyStore

KEY_BYTES = 32
NONCE_BYTES = 12
CACHE_S = 60.0
CACHED_KEYS = 10_000
ERASED = "ERASED"


class Erased(NotFound):
    """The subject's key is gone for good, and with it the text."""

    reason = ERASED


class SealedText(Protocol):
    """Anything with these fields: the message on the wire, or a domain's own dataclass."""

    @property
    def key_id(self) -> str: ...
    @property
    def nonce(self) -> bytes: ...
    @property
    def ciphertext(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """AES-256-GCM: ``key_id`` names the subject's key within its tenant, ``nonce`` is 12 random bytes."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """A subject's key, 32 bytes: ``id`` names it within its tenant (the subject's reference)."""

    id: str
    secret: bytes = field(repr=False)


def seal(key: SubjectKey, plaintext: bytes, *, tenant: str, customer_ref: str, field: str) -> Sealed:
    """``plaintext`` bound to its place: ``field`` is ``<fact>.<field>``, such as ``MessageReceived.body``."""
    nonce = os.urandom(NONCE_BYTES)
    context = _context(tenant, customer_ref, field)
    return Sealed(key.id, nonce, AESGCM(key.secret).encrypt(nonce, plaintext, context))


def unseal(key: SubjectKey, sealed: SealedText, *, tenant: str, customer_ref: str, field: str) -> bytes:
    """The plaintext; raises ``Poison("UNSEALABLE")`` when altered, moved to another place, or under another key."""
    try:
        return AESGCM(key.secret).decrypt(sealed.nonce, sealed.ciphertext, _context(tenant, customer_ref, field))
    except (InvalidTag, ValueError):
        raise Poison("UNSEALABLE", field) from None


def _context(tenant: str, customer_ref: str, field: str) -> bytes:
    return f"{tenant}|{customer_ref}|{field}".encode()


@dataclass(frozen=True)
class MasterKeys:
    """Wraps subject keys under the ``current`` master key; older ones still unwrap what they wrapped."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> MasterKeys:
        """Base64 keys of 32 bytes, separated by commas or spaces, the current one first; raises ``ConfigError``."""
        keys = {_master_id(key): key for key in map(_decoded, text.replace(",", " ").split())}
        if not keys:
            raise ConfigError("MASTER_KEY or MASTER_KEY_FILE must hold a key: 32 random bytes in base64")
        return cls(next(iter(keys)), keys)

    def wrap(self, tenant: str, key: SubjectKey) -> bytes:
        """``master id (8 bytes) | nonce | ciphertext``, bound to tenant and subject."""
        nonce = os.urandom(NONCE_BYTES)
        wrapped = AESGCM(self.keys[self.current]).encrypt(nonce, key.secret, _bound(tenant, key.id))
        return bytes.fromhex(self.current) + nonce + wrapped

    def unwrap(self, tenant: str, subject: str, wrapped: bytes) -> SubjectKey:
        """The key as it was wrapped; raises ``Poison`` when altered or when its master key is not here."""
        master, nonce, ciphertext = wrapped[:8].hex(), wrapped[8:20], wrapped[20:]
        if master not in self.keys:
            raise Poison("UNKNOWN_MASTER_KEY", master)
        try:
            return SubjectKey(subject, AESGCM(self.keys[master]).decrypt(nonce, ciphertext, _bound(tenant, subject)))
        except (InvalidTag, ValueError):
            raise Poison("UNWRAPPABLE") from None

    def is_current(self, wrapped: bytes) -> bool:
        """Whether ``wrapped`` is under the current master key, or is to be wrapped again."""
        return wrapped[:8].hex() == self.current


def master_keys(settings: KernelSettings) -> MasterKeys:
    """As configured; in the demo a file beside the store serves, made on first use. Raises ``ConfigError``."""
    if settings.master_key:
        return MasterKeys.parse(settings.master_key)
    if settings.master_key_file:
        try:
            return MasterKeys.parse(Path(settings.master_key_file).read_text())
        except OSError as error:
            raise ConfigError(f"MASTER_KEY_FILE: {error.strerror}") from None
    if settings.demo:
        return MasterKeys.parse(load_or_create(Path(settings.store.path) / "master.key", _new_master).decode())
    raise ConfigError("set MASTER_KEY or MASTER_KEY_FILE: 32 random bytes in base64")


async def standing_key(keys: KeyStore, master: MasterKeys, tenant: str, subject: str) -> SubjectKey:
    """The one key of ``subject``, made if there is none: of two creators at once both get the same (kernel rule 18).

    Raises ``Erased``.
    """
    wrapped = await _known(keys, tenant, subject)
    if wrapped is None:
        fresh = SubjectKey(subject, os.urandom(KEY_BYTES))
        wrapped = await keys.create(tenant, subject, master.wrap(tenant, fresh))
    if wrapped is None:
        raise Erased
    return master.unwrap(tenant, subject, wrapped)


async def _known(keys: KeyStore, tenant: str, subject: str) -> bytes | None:
    try:
        return await keys.get(tenant, subject)
    except NotFound as error:
        raise Erased from error


Fetch = Callable[[str, str], Awaitable[SubjectKey]]


class SubjectKeys:
    """Subject keys as fetched from their owner, kept at most 60 s; seals and opens text with them.

    ``fetch(tenant, customer_ref)`` returns the key or raises ``NotFound("ERASED")``; one fetch a key at a time.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic, ttl_s: float = CACHE_S) -> None:
        self._fetch = fetch
        self._clock = clock
        self._ttl_s = ttl_s
        self._kept: OrderedDict[tuple[str, str], tuple[float, asyncio.Future[SubjectKey]]] = OrderedDict()

    async def get(self, tenant: str, customer_ref: str) -> SubjectKey:
        """The key; raises ``Erased``, or whatever kept ``fetch`` from answering."""
        place = (tenant, customer_ref)
        expires_at, coming = self._kept.get(place, (0.0, None))
        if coming is None or self._clock() >= expires_at:
            coming = asyncio.ensure_future(self._fetched(tenant, customer_ref))
            self._keep(place, coming)
        try:
            return await asyncio.shield(coming)  # one caller's cancellation is not everybody's
        except Exception:
            if self._kept.get(place, (0.0, None))[1] is coming:
                del self._kept[place]
            raise

    async def seal(self, tenant: str, customer_ref: str, field: str, plaintext: bytes) -> Sealed:
        """``plaintext`` under the subject's key; raises ``Erased``: that person needs a new reference."""
        key = await self.get(tenant, customer_ref)
        return seal(key, plaintext, tenant=tenant, customer_ref=customer_ref, field=field)

    async def open(self, tenant: str, customer_ref: str, field: str, sealed: SealedText) -> bytes:
        """The plaintext; raises ``Erased`` or ``Poison``."""
        key = await self.get(tenant, customer_ref)
        return unseal(key, sealed, tenant=tenant, customer_ref=customer_ref, field=field)

    async def open_text(self, tenant: str, customer_ref: str, field: str, sealed: SealedText) -> str | None:
        """The text, or ``None`` as the marker that its subject is erased."""
        try:
            return (await self.open(tenant, customer_ref, field, sealed)).decode(errors="replace")
        except Erased:
            return None

    def drop(self, tenant: str, customer_ref: str) -> None:
        """Forget the key now, and whatever fetch of it is under way: its subject is being erased."""
        self._kept.pop((tenant, customer_ref), None)

    def _keep(self, place: tuple[str, str], coming: asyncio.Future[SubjectKey]) -> None:
        self._kept[place] = (self._clock() + self._ttl_s, coming)
        self._kept.move_to_end(place)
        if len(self._kept) > CACHED_KEYS:
            self._kept.popitem(last=False)

    async def _fetched(self, tenant: str, customer_ref: str) -> SubjectKey:
        try:
            return await self._fetch(tenant, customer_ref)
        except NotFound as error:
            if error.reason == ERASED:
                raise Erased from error
            raise


def _bound(tenant: str, subject: str) -> bytes:
    return f"{tenant}|{subject}".encode()


def _master_id(key: bytes) -> str:
    return sha256(b"switchlog master key" + key).hexdigest()[:16]


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError("a master key is 32 random bytes in base64")
    return key


def _new_master() -> bytes:
    return base64.b64encode(os.urandom(KEY_BYTES))
