"""Files: what they are is sniffed, what a browser would run is refused, what is kept is sealed."""

from __future__ import annotations

import base64
import io
import wave
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingress_chat.app.files import MAX_FILE_BYTES, sniff
from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.errors import Forbidden, NotFound, Rejected, TooLarge
from switchlog.seal import Erased

from .scene import TENANT, Scene

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + b"\x00" * 24 + b"\x3b"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"\x00" * 64 + b"\xff\xd9"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00" + b"\x30\x01\x00\x9d\x01\x2a" + b"\x00" * 18
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n%%EOF\n"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x00" * 32
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.txt", "hello")
    return made.getvalue()


def sound() -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as one:
        one.setnchannels(1)
        one.setsampwidth(2)
        one.setframerate(8000)
        one.writeframes(b"\x00\x01" * 200)
    return made.getvalue()


GOOD = {
    "image/png": PNG,
    "image/gif": GIF,
    "image/jpeg": JPEG,
    "image/webp": WEBP,
    "application/pdf": PDF,
    "application/zip": zipped(),
    "audio/wav": sound(),
    "video/mp4": MP4,
    "audio/ogg": b"OggS\x00\x02" + b"\x00" * 22 + b"\x01\x1e\x01vorbis",
    "audio/mpeg": b"ID3\x03\x00" + b"\x00" * 60,
}


@pytest.mark.parametrize("media_type", GOOD)
def test_files_are_known_by_their_bytes(media_type: str) -> None:
    """CH-3"""
    assert sniff(GOOD[media_type]) == media_type


@pytest.mark.parametrize(
    "text",
    ["hello", "你好，世界\n" * 900, "a,b\n1,2\n", "# title\nx < y and y > z", "BM is a car", '{"a": 1}', "\ufeffx"],
)
def test_plain_text_is_plain_text(text: str) -> None:
    assert sniff(text.encode()) == "text/plain"


@pytest.mark.parametrize(
    "content",
    [
        SVG,
        HTML,
        b"\xef\xbb\xbf" + SVG,
        b" \n\t" + HTML,
        b'<?xml version="1.0"?>\n' + SVG,
        b"<!-- a picture -->\n" + SVG,
        b"hello\n" + SVG,
        b"x" * 5000 + b"< SCRIPT src=//evil>",
        SVG.decode().encode("utf-16"),
        HTML.decode().encode("utf-16-le"),
        b"MZ\x90\x00" + b"\x00" * 60,
        b"\x7fELF\x02\x01\x01" + b"\x00" * 60,
        b"\x00\x01\x02\x03",
        b"caf\xe9",
    ],
    ids=range(14),
)
def test_what_a_browser_or_machine_would_run_is_refused(content: bytes) -> None:
    with pytest.raises(Rejected, match="FILE_TYPE_REFUSED"):
        sniff(content)


ANN = Principal(TENANT, "ann", frozenset({"agent"}))


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return await Scene(tmp_path).set_up()


async def chunks(content: bytes, size: int = 1 << 20) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def test_a_file_is_kept_sealed_and_read_back(scene: Scene) -> None:
    contact = await scene.talking()
    stored = await scene.service.files.store(contact, ANN, chunks(PNG))
    again = await scene.service.files.store(contact, ANN, chunks(PNG))
    assert (stored.kind, stored.size, again.ref) == ("image", len(PNG), stored.ref)
    kept = await scene.service.files.attachments.get(TENANT, f"{contact.name}/{stored.ref}")
    assert PNG[:8] not in kept
    found = await scene.service.files.load(contact, ANN, stored.ref)
    assert (found.content, found.media_type) == (PNG, "image/png")


async def test_25_mib_is_the_limit(scene: Scene) -> None:
    contact = await scene.talking()
    whole = b"%PDF-1.7\n" + b"x" * (MAX_FILE_BYTES - 9)
    assert (await scene.service.files.store(contact, ANN, chunks(whole))).size == MAX_FILE_BYTES
    with pytest.raises(TooLarge):
        await scene.service.files.store(contact, ANN, chunks(whole + b"x"))
    with pytest.raises(Rejected, match="EMPTY_FILE"):
        await scene.service.files.store(contact, ANN, chunks(b""))


async def test_files_are_for_the_two_people_in_the_conversation(scene: Scene) -> None:
    contact = await scene.talking()
    stored = await scene.service.files.store(contact, ANN, chunks(PNG))
    with pytest.raises(Forbidden):
        await scene.service.files.load(contact, Principal(TENANT, "bob", frozenset({"agent"})), stored.ref)
    with pytest.raises(NotFound):
        await scene.service.files.load(StreamId("other", contact.name), ANN, stored.ref)
    other = await scene.talking("ann")
    with pytest.raises(NotFound):
        await scene.service.files.load(other, ANN, stored.ref)


async def test_an_erased_customers_files_cannot_be_read(scene: Scene) -> None:
    """PL-5"""
    contact = await scene.talking()
    stored = await scene.service.files.store(contact, ANN, chunks(PNG))
    customer = (await scene.chats.state(contact)).contact.customer_ref
    scene.people.erased.add(customer)
    scene.service.keys.drop(TENANT, customer)
    with pytest.raises(Erased):
        await scene.service.files.load(contact, ANN, stored.ref)
