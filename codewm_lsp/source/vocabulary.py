"""The fixed vocabulary of structure tokens, its version and its hash.

A model and an index carry both; ``world_model`` and ``index`` refuse to mix them. The tables are
those that the language writes down, so that another release of its grammar cannot renumber the tokens: a node type that
is not in them becomes ``UNKNOWN``.
"""

from __future__ import annotations

import hashlib
import zlib
from functools import lru_cache
from typing import Final

from codewm_lsp.source.languages import PYTHON

TOKENISER_VERSION: Final = 1
IDENTIFIER_BUCKETS: Final = 512

_KINDS: Final = PYTHON.nodes.kinds
_TOKENS: Final = PYTHON.nodes.tokens
_SPECIAL: Final = ("<pad>", "<start>", "<unknown>", "<error>")
PAD: Final = 0
START: Final = 1
UNKNOWN: Final = 2
ERROR: Final = 3

VOCABULARY: Final[tuple[str, ...]] = (
    *_SPECIAL,
    *(f"node:{name}" for name in _KINDS),
    *(f"syntax:{name}" for name in _TOKENS),
    *(f"identifier:{bucket}" for bucket in range(IDENTIFIER_BUCKETS)),
)
VOCABULARY_HASH: Final = hashlib.sha256("\n".join((str(TOKENISER_VERSION), *VOCABULARY)).encode("utf-8")).hexdigest()[
    :16
]

NODE_IDS: Final[dict[str, int]] = {name: len(_SPECIAL) + i for i, name in enumerate(_KINDS)}
SYNTAX_IDS: Final[dict[str, int]] = {name: len(_SPECIAL) + len(_KINDS) + i for i, name in enumerate(_TOKENS)}
FIRST_IDENTIFIER: Final = len(VOCABULARY) - IDENTIFIER_BUCKETS


@lru_cache(maxsize=16_384)
def identifier_id(text: str) -> int:
    """Token of an identifier or literal: a CRC-32 bucket, the same in every process and on every machine."""
    return FIRST_IDENTIFIER + zlib.crc32(text.encode("utf-8", "surrogatepass")) % IDENTIFIER_BUCKETS
