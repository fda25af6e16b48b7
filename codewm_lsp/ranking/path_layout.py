"""What the paths of a repository tell by themselves, whatever stands in the files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass
from codewm_lsp.source import split_identifier
from codewm_lsp.source.languages import Conventions, language_of


def shared_beginning(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts of two paths are the same from the start on."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared


def conventions_of(path: str) -> Conventions:
    """How names and paths are made up in the language of a file."""
    return language_of(path).conventions


def subject_of(path: str) -> str:
    """What a file is called after, the same for a module and its tests."""
    return conventions_of(path).subject(path)


@dataclass(frozen=True, eq=False)
class Layout:
    """``paths``: of all files, sorted; a file goes by its position among them."""

    paths: tuple[str, ...]

    @cached_property
    def number(self) -> Mapping[str, int]:
        """Which file a path is."""
        return {path: file for file, path in enumerate(self.paths)}

    @cached_property
    def _folder_numbers(self) -> Mapping[str, int]:
        return {
            name: number for number, name in enumerate(dict.fromkeys(path.rpartition("/")[0] for path in self.paths))
        }

    @cached_property
    def folder(self) -> NDArray[np.int64]:
        """The number of each file's folder."""
        numbers = self._folder_numbers
        return np.array([numbers[path.rpartition("/")[0]] for path in self.paths], dtype=np.int64)

    @cached_property
    def folders(self) -> Sequence[NDArray[np.int64]]:
        """The files of each folder."""
        order = np.argsort(self.folder, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.folder))[:-1]) if len(order) else []

    @cached_property
    def testing(self) -> NDArray[np.bool_]:
        """Which files hold tests."""
        return np.array([conventions_of(path).is_test(path) for path in self.paths], dtype=bool)

    @cached_property
    def packages(self) -> NDArray[np.bool_]:
        """Which files make a folder a package."""
        return np.array([path.rpartition("/")[2] == conventions_of(path).package for path in self.paths], dtype=bool)

    @cached_property
    def stubs(self) -> Mapping[int, int]:
        """Files that declare the definitions of another one, each with that."""
        declared = ((file, conventions_of(path).declares(path)) for file, path in enumerate(self.paths))
        return {file: self.number[path] for file, path in declared if path in self.number}

    @cached_property
    def _stems(self) -> Mapping[str, list[int]]:
        """The files of each stem."""
        found: dict[str, list[int]] = {}
        for file, path in enumerate(self.paths):
            found.setdefault(subject_of(path), []).append(file)
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

    def same_folder(self, path: str) -> NDArray[np.float64]:
        """Whether each file lies in the folder of ``path``. (F,), as the answers of all methods beside."""
        return np.asarray(self.folder == self._folder_numbers.get(path.rpartition("/")[0], -1), dtype=np.float64)

    def near_folder(self, path: str) -> NDArray[np.float64]:
        """How much of the way to its folder each file shares with ``path``."""
        folder = path.split("/")[:-1]
        others = [name.split("/") if name else [] for name in self._folder_numbers]
        near = [shared_beginning(folder, other) / max(1, len(folder), len(other)) for other in others]
        return np.array(near, dtype=np.float64)[self.folder]

    def same_stem(self, path: str) -> NDArray[np.float64]:
        """Whether each file is called as ``path`` is, a test as what it tests."""
        same = np.zeros(len(self.paths))
        same[self._stems.get(subject_of(path), [])] = 1
        return same

    def like_stem(self, path: str) -> NDArray[np.float64]:
        """How many of the words of both names are in both."""
        words = set(split_identifier(subject_of(path)))
        shared = self._having(words)
        return np.asarray(shared / np.maximum(1, self._stem_words[1] + len(words) - shared))

    def stem_among(self, words: Collection[str]) -> NDArray[np.float64]:
        """The share of the words of each file's name that is among these."""
        return np.asarray(self._having(words) / np.maximum(1, self._stem_words[1]))

    @cached_property
    def modules(self) -> Mapping[str, int]:
        """Dotted name of a module, and every ending of it → file (the first that has it)."""
        found: dict[str, int] = {}
        for file, path in enumerate(self.paths):
            parts = conventions_of(path).module(path)
            for start in range(len(parts)):
                found.setdefault(".".join(parts[start:]), file)
        return found

    @cached_property
    def _tops(self) -> frozenset[str]:
        return frozenset(part for path in self.paths for part in conventions_of(path).module(path)[:2])

    def imported(self, file: int, imports: Sequence[str]) -> tuple[int, ...]:
        """The files that a file imports by these names, without itself."""
        targets: list[int] = []
        path = self.paths[file]
        conventions = conventions_of(path)
        for name in imports:
            parts, absolute = conventions.imported(name, path)
            target = self._target(parts, absolute)
            if target is not None and target != file:
                targets.append(target)
        return tuple(targets)

    def _target(self, parts: Sequence[str], absolute: bool) -> int | None:
        if absolute and len(parts) == 1:
            return self.modules.get(parts[0]) if parts[0] in self._tops else None
        return self.modules.get(".".join(parts))
