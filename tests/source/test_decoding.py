"""Bytes → text."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.source import decode


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("é = 1".encode(), "é = 1"),
        (codecs.BOM_UTF8 + "é".encode(), "é"),
        (b"# -*- coding: latin-1 -*-\n\xe9", "# -*- coding: latin-1 -*-\né"),
        (
            b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n\x80",
            "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n€",
        ),
        (b"x = 1\n\n# coding: latin-1\n" + "é".encode(), "x = 1\n\n# coding: latin-1\né"),
        (b"# coding: no-such-thing\n" + "é".encode(), "# coding: no-such-thing\né"),
        (b"# coding: utf-8\n\xe9", "# coding: utf-8\né"),
        (b"# coding: punycode\n" + "é-1".encode(), "# coding: punycode\né-1"),
        (b"# coding: idna\n" + "é".encode(), "# coding: idna\né"),
        (b"# coding: hex\nzz", "# coding: hex\nzz"),
        (b"# coding: rot13\nnop", "# coding: rot13\nnop"),
        (b"# coding: unicode_escape\n\\", "# coding: unicode_escape\n\\"),
        (b"\xe9\xff", "éÿ"),
        (b"a\0b", "a\0b"),
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
    ],
)
def test_the_encoding_is_found(data: bytes, text: str) -> None:
    assert decode(data) == text


@given(st.binary())
def test_any_bytes_are_text(data: bytes) -> None:
    text = decode(data)
    assert "\r" not in text
    assert decode(text.encode("utf-8", "surrogatepass").lstrip(codecs.BOM_UTF8)) is not None


_CODECS = (
    "utf-7 utf-16 utf-32 idna punycode undefined mbcs zlib base64 raw_unicode_escape cp037 utf_8_sig unicode_escape "
    "rot13 uu bz2 quopri"
)


@given(st.sampled_from(_CODECS.split()), st.binary())
def test_any_cookie_is_survived(name: str, data: bytes) -> None:
    assert isinstance(decode(b"# coding: " + name.encode() + b"\n" + data), str)
