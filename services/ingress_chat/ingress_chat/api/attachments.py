"""Files in a conversation, for the two people in it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from switchlog.web import Principaled

from ..app.files import Files
from .contacts import contact_stream
from .schemas import AttachmentOut, Id


def routes(files: Files) -> APIRouter:
    router = APIRouter(prefix="/v1/attachments", tags=["attachments"])

    @router.post("/{contact}", status_code=201)
    async def upload(contact: Id, request: Request, caller: Principaled) -> AttachmentOut:
        """Store the body as a file, sealed under the customer's key; what it is is sniffed, not believed."""
        stored = await files.store(contact_stream(caller, contact), caller, request.stream())
        return AttachmentOut(attachment=stored.ref, kind=stored.kind, bytes=stored.size)

    @router.get("/{contact}/{ref}")
    async def download(contact: Id, ref: Id, caller: Principaled) -> Response:
        """The file, always as a download."""
        found = await files.load(contact_stream(caller, contact), caller, ref)
        headers = {"content-disposition": f'attachment; filename="{ref}"'}
        return Response(found.content, media_type=found.media_type, headers=headers)

    return router
