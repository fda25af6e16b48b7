"""Bytes of a Python file → text, whatever its encoding."""

from __future__ import annotations

import codecs

from codewm_lsp.source.languages import PYTHON


def decode(data: bytes) -> str:
    """Decode a Python file: byte-order mark, PEP 263 cookie, UTF-8, and latin-1 when all else fails.

    Line ends become ``\\n``, so that a checkout with CRLF equals the blob it came from. Never raises.
    """
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    text: str | None = None
    first_lines = b"\n".join(data[:400].split(b"\n", 2)[:2])
    cookie = PYTHON.encoding.search(first_lines)
    for encoding in (cookie.group(1).decode("ascii") if cookie else "utf-8", "utf-8", "latin-1"):
        try:
            text = data.decode(encoding)
        except (LookupError, UnicodeError, ValueError):
            continue
        break
    assert text is not None  # latin-1 decodes anything
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
