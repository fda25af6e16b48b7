"""Bytes of a Python file → text, whatever its encoding."""

from __future__ import annotations

import codecs

from codewm_lsp.source.languages import PYTHON

_LONGEST_NAME = 40  # of an encoding
# Names of hosts, which take time with the square of their length; escapes, which are no writing.
_NO_TEXT = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})


def is_text_encoding(name: str) -> bool:
    """Whether a file may say that it is written in this encoding: one that Python knows, and decodes in linear time."""
    try:
        found = codecs.lookup(name) if len(name) <= _LONGEST_NAME else None
    except (LookupError, ValueError):
        return False
    return found is not None and found._is_text_encoding and found.name.replace("_", "-") not in _NO_TEXT


def decode(data: bytes) -> str:
    """Decode a Python file: byte-order mark, PEP 263 cookie, UTF-8, and latin-1 when all else fails.

    Line ends become ``\\n``, so that a checkout with CRLF equals the blob it came from. Never raises.
    """
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    text: str | None = None
    first_lines = b"\n".join(data[:400].split(b"\n", 2)[:2])
    cookie = PYTHON.encoding.search(first_lines)
    said = cookie.group(1).decode("ascii") if cookie else "utf-8"
    for encoding in (said, "utf-8", "latin-1") if is_text_encoding(said) else ("utf-8", "latin-1"):
        try:
            text = data.decode(encoding)
        except ValueError:
            continue
        break
    assert text is not None  # latin-1 decodes anything
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
