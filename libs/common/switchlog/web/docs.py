"""A page that shows ``/openapi.json`` and fetches nothing from elsewhere: it works offline and under a strict CSP."""

from __future__ import annotations

import base64
import html
from hashlib import sha256

from starlette.responses import HTMLResponse

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
code{font-size:14px}details{border:1px solid #d0d0d0;border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer}b{display:inline-block;min-width:4.5rem}pre{background:#f4f4f4;padding:.6rem;overflow:auto}
"""
_SCRIPT = """
const show = (tag, text, parent) => {
  const made = document.createElement(tag); made.textContent = text; parent.append(made); return made;
};
fetch("openapi.json").then(answer => answer.json()).then(api => {
  const list = document.querySelector("main");
  for (const [path, methods] of Object.entries(api.paths)) for (const [method, operation] of Object.entries(methods)) {
    const box = show("details", "", list), head = show("summary", "", box);
    show("b", method.toUpperCase(), head); show("code", path, head);
    if (operation.description || operation.summary) show("p", operation.description || operation.summary, box);
    const {parameters, requestBody, responses} = operation;
    show("pre", JSON.stringify({parameters, requestBody, responses}, null, 2), box);
  }
  const box = show("details", "", list); show("summary", "Schemas", box);
  show("pre", JSON.stringify((api.components || {}).schemas || {}, null, 2), box);
});
"""


def docs_page(title: str) -> HTMLResponse:
    """The page for the API called ``title``."""
    name = html.escape(title)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
        f'<h1>{name}</h1><p><a href="openapi.json">openapi.json</a></p><main></main><script>{_SCRIPT}</script></html>'
    )
    policy = (
        f"default-src 'none'; connect-src 'self'; script-src '{_hash(_SCRIPT)}'; style-src '{_hash(_STYLE)}'; "
        "frame-ancestors 'none'"
    )
    return HTMLResponse(page, headers={"content-security-policy": policy})


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode()
