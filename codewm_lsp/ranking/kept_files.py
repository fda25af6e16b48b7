"""The files of a repository's last commit as they were parsed, kept in one small file beside the index.

A command would spend a quarter of its time on parsing what has not changed since the last one. Kept of a file are
names, places and numbers, and neither words nor lines: a word is kept as its place among the words of the file's text,
which is read again. So the text, and the code that parsed it, have to be the same ones; anything else is parsed.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import codewm_lsp
from codewm_lsp.index.store import LOG, PARSED_FILES, is_plain, write_anew
from codewm_lsp.ranking.corpus import KINDS, Corpus, ParsedFile, Vocabulary, running_tokens, simple_name
from codewm_lsp.records import dataclass
from codewm_lsp.small_arrays import read_arrays

FEWEST: Final = 3
"""Files that had to be parsed from which on all are kept anew, and one more for so many files that are kept: writing
them takes as long as parsing a few, and every later command is spared these."""

FEW_OF: Final = 100

_AT_ONCE: Final = 32  # files
_LARGEST: Final = 64 << 20  # bytes of a file that is read
_DESCRIPTION: Final = "description"
_OF_DEFINITIONS: Final = ("kinds", "line", "start", "end", "size")
_HELD: Final = {"words": "word_bounds", "lines": "line_bounds", "phrases": "phrase_bounds"}
_PARSERS: Final = ("source/*", "source/languages/*", "ranking/corpus.*", "ranking/kept_files.*")


@cache
def parser() -> str:
    """Names the code that parses: of other code, what is kept holds nothing."""
    digest = hashlib.blake2b(codewm_lsp.__version__.encode("ascii"), digest_size=16)
    folder = Path(codewm_lsp.__file__).parent
    for pattern in _PARSERS:
        for file in sorted(folder.glob(pattern)):
            if file.suffix == Path(__file__).suffix:
                digest.update(file.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file's definitions begin and end, and what they hold; and what is kept of it in words."""

    definitions: slice
    held: Mapping[str, slice]
    names: tuple[str, ...]
    imports: tuple[str, ...]


class KeptFiles:
    """What was kept, by blob."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], places: Mapping[str, _Place]) -> None:
        self._arrays = arrays
        self._places = places

    @classmethod
    def read(cls, folder: Path | None) -> KeptFiles:
        """From the folder of an index; nothing where there is none, or it is broken or another parser's."""
        file = None if folder is None else folder / PARSED_FILES
        try:
            if file is None or not is_plain(file) or file.stat().st_size > _LARGEST:
                return NOTHING_KEPT
            arrays = read_arrays(file.read_bytes(), _LARGEST)
            described = json.loads(arrays[_DESCRIPTION].tobytes())
            if described["parser"] != parser():
                return NOTHING_KEPT
            return cls(arrays, _places(arrays, described))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return NOTHING_KEPT

    def __contains__(self, blob: str) -> bool:
        return blob in self._places

    def parsed(self, blob: str, text: str, vocabulary: Vocabulary) -> ParsedFile | None:
        """What ``parse_file`` makes of the text of this blob; None where it is not known."""
        place = self._places.get(blob)
        if place is None:
            return None
        local = self._arrays["words"][place.held["words"]]
        tokens = list(dict.fromkeys(running_tokens(text)))
        met = list(dict.fromkeys(local.tolist()))  # words get their numbers in the order in which definitions hold them
        if met and not 0 <= min(met) <= max(met) < len(tokens):
            return None
        numbers = np.zeros(len(tokens), dtype=np.int32)
        numbers[met] = [vocabulary.add(tokens[number]) for number in met]
        bounds = {
            what: np.concatenate(([0], np.cumsum(self._arrays[f"{what}_held"][place.definitions]))).astype(np.int32)
            for what in _HELD
        }
        of = {name: self._arrays[name][place.definitions].copy() for name in _OF_DEFINITIONS}
        return ParsedFile(
            names=place.names,
            kinds=of["kinds"],
            line=of["line"],
            start=of["start"],
            end=of["end"],
            size=of["size"],
            name_words=np.array([vocabulary.add(simple_name(name)) for name in place.names], dtype=np.int32),
            words=numbers[local],
            counts=self._arrays["counts"][place.held["words"]].copy(),
            word_bounds=bounds["words"],
            lines=self._arrays["lines"][place.held["lines"]].copy(),
            line_bounds=bounds["lines"],
            phrases=self._arrays["phrases"][place.held["phrases"]].copy(),
            phrase_bounds=bounds["phrases"],
            imports=place.imports,
        )


NOTHING_KEPT: Final = KeptFiles({}, {})


def keep(
    folder: Path,
    corpus: Corpus,
    blobs: Sequence[str],
    read: Callable[[Sequence[str]], Mapping[str, str | None]],
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Keep the files of a corpus, each by its blob, in the folder of an index; False when told to stop before the end.
    ``read`` gives the texts of blobs.

    Where it cannot be written, they are parsed again the next time.
    """
    bounds = list(pairwise(corpus.word_bounds[corpus.first].tolist()))
    local: list[NDArray[np.int32]] = []
    try:
        for first in range(0, len(blobs), _AT_ONCE):
            if stop():
                return False
            some = slice(first, first + _AT_ONCE)
            texts = read(list(dict.fromkeys(blobs[some])))
            local += [
                _local(corpus.words[start:end], texts[blob] or "", corpus.vocabulary)
                for blob, (start, end) in zip(blobs[some], bounds[some], strict=True)
            ]
    except KeyError as error:
        LOG.info("%s: a definition has a word that its file has not: %s", folder, error)
        return True
    firsts = corpus.first.tolist()
    names = [corpus.names[start:end] for start, end in pairwise(firsts)]
    described = {"parser": parser(), "files": list(zip(blobs, names, corpus.imports, strict=True))}
    arrays = {
        **{name: getattr(corpus, name) for name in (*_OF_DEFINITIONS, "counts", "lines", "phrases")},
        "words": np.concatenate([np.zeros(0, np.int32), *local]),
        **{f"{what}_held": np.diff(getattr(corpus, bounds)).astype(np.int32) for what, bounds in _HELD.items()},
        _DESCRIPTION: np.frombuffer(json.dumps(described, separators=(",", ":")).encode("ascii"), np.uint8),
    }
    written = io.BytesIO()
    np.savez(written, allow_pickle=False, **arrays)
    if written.tell() <= _LARGEST:
        write_anew(folder / PARSED_FILES, written.getvalue())
    return True


def _local(words: NDArray[np.int32], text: str, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """The place of each word among those of its file's text. Raises KeyError where it is not there."""
    places = {token: place for place, token in enumerate(dict.fromkeys(running_tokens(text)))}
    return np.array([places[vocabulary.token(word)] for word in words.tolist()], dtype=np.int32)


def _places(arrays: Mapping[str, NDArray[Any]], described: Mapping[str, Any]) -> dict[str, _Place]:
    """Where each file's part is. Raises ValueError where the arrays do not fit together."""
    files = described["files"]
    starts = [0, *accumulate(len(names) for _, names, _ in files)]
    bounds: dict[str, list[int]] = {}
    for what in _HELD:
        held = arrays[f"{what}_held"]
        ends = np.concatenate(([0], np.cumsum(held, dtype=np.int64)))
        if len(held) != starts[-1] or ends[-1] != len(arrays[what]) or (len(held) and held.min() < 0):
            raise ValueError("what definitions hold does not fit them")
        bounds[what] = ends[starts].tolist()
    if any(len(arrays[name]) != starts[-1] for name in _OF_DEFINITIONS) or len(arrays["counts"]) != len(
        arrays["words"]
    ):
        raise ValueError("the arrays differ in length")
    if len(arrays["kinds"]) and not 0 <= arrays["kinds"].min() <= arrays["kinds"].max() < len(KINDS):
        raise ValueError("a definition is of no kind")
    found: dict[str, _Place] = {}
    for number, (blob, names, imports) in enumerate(files):
        if not all(isinstance(text, str) for text in (blob, *names, *imports)):
            raise ValueError("a name is no text")
        held_by = {what: slice(ends[number], ends[number + 1]) for what, ends in bounds.items()}
        found[blob] = _Place(slice(starts[number], starts[number + 1]), held_by, tuple(names), tuple(imports))
    return found
