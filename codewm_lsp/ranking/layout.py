"""What the paths of a repository tell by themselves, whatever stands in the files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.ranking.conventions import is_test, module_of, test_stem
from codewm_lsp.source import split_identifier


def shared_beginning(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts of two paths are the same from the start on."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared


@dataclass(frozen=True, eq=False)
class Layout:
    """``paths``: of all files, sorted; a file goes by its position among them."""

    paths: tuple[str, ...]

    @cached_property
    def number(self) -> Mapping[str, int]:
        """Which file a path is."""
        return {path: file for file, path in enumerate(self.paths)}

    @cached_property
    def folders(self) -> Sequence[NDArray[np.int64]]:
        """The files of each folder."""
        found: dict[str, list[int]] = {}
        for file, path in enumerate(self.paths):
            found.setdefault(path.rpartition("/")[0], []).append(file)
        return [np.array(files, dtype=np.int64) for files in found.values()]

    @cached_property
    def _testing(self) -> NDArray[np.bool_]:
        return np.array([is_test(path) for path in self.paths], dtype=bool)

    @cached_property
    def _packages(self) -> NDArray[np.bool_]:
        return np.array([path.rpartition("/")[2] == "__init__.py" for path in self.paths], dtype=bool)

    @cached_property
    def _stems(self) -> Mapping[str, list[int]]:
        """The files of each stem."""
        found: dict[str, list[int]] = {}
        for file, path in enumerate(self.paths):
            found.setdefault(test_stem(path), []).append(file)
        return found

    @cached_property
    def _stem_words(self) -> tuple[Mapping[str, list[int]], NDArray[np.int64]]:
        """The files in whose stem each word stands, and how many different words each stem has."""
        found: dict[str, list[int]] = {}
        counts = np.zeros(len(self.paths), dtype=np.int64)
        for stem, files in self._stems.items():
            words = set(split_identifier(stem))
            counts[files] = len(words)
            for word in words:
                found.setdefault(word, []).extend(files)
        return found, counts

    def _having(self, words: Iterable[str]) -> NDArray[np.int64]:
        """How many of these words stand in the stem of each file."""
        standing = self._stem_words[0]
        files = [file for word in words for file in standing.get(word, ())]
        return np.bincount(np.array(files, dtype=np.int64), minlength=len(self.paths))

    def beside(self, path: str, told: Collection[str], called: Collection[str]) -> dict[str, NDArray[np.float64]]:
        """How the path of each file is like ``path``, and like the words of an edit (``told``) and of the name of what
        it edits (``called``): signals of files, (F,) each."""
        folder, stem = path.split("/")[:-1], test_stem(path)
        same, near = np.zeros(len(self.paths)), np.zeros(len(self.paths))
        for files in self.folders:
            other = self.paths[files[0]].split("/")[:-1]
            same[files] = float(other == folder)
            near[files] = shared_beginning(folder, other) / max(1, len(folder), len(other))
        same_stem = np.zeros(len(self.paths))
        same_stem[self._stems.get(stem, [])] = 1
        testing, words, sizes = is_test(path), set(split_identifier(stem)), self._stem_words[1]
        shared = self._having(words)
        return {
            "same_folder": same,
            "near_folder": near,
            "counterpart": same_stem * (self._testing != testing),
            "same_stem": same_stem,
            "like_stem": shared / np.maximum(1, sizes + len(words) - shared),
            "is_test": self._testing.astype(float),
            "both_test": (self._testing == testing).astype(float),
            "is_package": self._packages.astype(float),
            "stem_in_edit": self._having(told) / np.maximum(1, sizes),
            "stem_in_name": self._having(called) / np.maximum(1, sizes),
        }

    @cached_property
    def modules(self) -> Mapping[str, int]:
        """Dotted name of a module, and every ending of it → file (the first that has it)."""
        found: dict[str, int] = {}
        for file, path in enumerate(self.paths):
            parts = module_of(path)
            for start in range(len(parts)):
                found.setdefault(".".join(parts[start:]), file)
        return found

    @cached_property
    def _tops(self) -> frozenset[str]:
        return frozenset(part for path in self.paths for part in module_of(path)[:2])

    def imported(self, file: int, imports: Sequence[str]) -> tuple[int, ...]:
        """The files that a file imports by these names, without itself."""
        targets: list[int] = []
        here = self.paths[file].split("/")
        for name in imports:
            if name.startswith("."):
                dots = len(name) - len(name.lstrip("."))
                base = here[: max(0, len(here) - dots)]
                parts = [part for part in (*base, *name.lstrip(".").split(".")) if part]
            else:
                parts = name.split(".")
            target = self._target(parts, absolute=not name.startswith("."))
            if target is not None and target != file:
                targets.append(target)
        return tuple(targets)

    def _target(self, parts: Sequence[str], absolute: bool) -> int | None:
        if absolute and len(parts) == 1:
            return self.modules.get(parts[0]) if parts[0] in self._tops else None
        return self.modules.get(".".join(parts))
