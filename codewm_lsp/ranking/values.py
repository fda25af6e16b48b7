"""What all signals say after one edit in progress; a signal that nobody asks about is never computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.ranking.candidate import Candidate
from codewm_lsp.ranking.edit_context import EditContext, Floats
from codewm_lsp.ranking.signal import Signal
from codewm_lsp.ranking.signals import DEFINITION_SIGNALS, FILE_SIGNALS
from codewm_lsp.ranking.state import State
from codewm_lsp.records import dataclass

MOST_EDITS: Final = 8  # edits in progress that are asked about, the newest ones
_FEW_EDITS: Final = 2  # the same in the largest repositories
_LOOKED_AT: Final = 400_000  # definitions that are looked at for all these edits together, about


def edits_asked(definitions: int) -> int:
    """How many edits in progress are asked about, the newest ones: each takes as long as there are definitions."""
    return max(_FEW_EDITS, min(MOST_EDITS, _LOOKED_AT // max(1, definitions)))


class Values(Mapping[str, Floats]):
    """Signal → its values, in the order of the registry; each is computed when it is first looked up."""

    def __init__(
        self, signals: Mapping[str, Signal], edit: EditContext, known: Mapping[str, Floats] | None = None
    ) -> None:
        """``known``: those that were computed already."""
        self._signals = signals
        self._edit = edit
        self._known: dict[str, Floats] = dict(known or {})

    def __getitem__(self, name: str) -> Floats:
        if name not in self._known:
            self._known[name] = self._signals[name].values(self._edit)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._signals

    def __iter__(self) -> Iterator[str]:
        return iter(self._signals)

    def __len__(self) -> int:
        return len(self._signals)

    def once(self, name: str) -> Floats:
        """The values of a signal, without keeping them if they are not known yet."""
        return self._known[name] if name in self._known else self._signals[name].values(self._edit)

    def knows(self, name: str) -> bool:
        """Whether it is computed."""
        return name in self._known

    def of(self, edit: EditContext) -> Values:
        """The same, where what is yet to be computed is that of another context of the same edit."""
        return Values(self._signals, edit, self._known)

    @property
    def nbytes(self) -> int:
        """Of the arrays that were computed."""
        return sum(values.nbytes for values in self._known.values())


class Selected(Mapping[str, Floats]):
    """Some rows of values of a whole: those that are known there; any other is computed for a part, where it can be."""

    def __init__(self, whole: Values, rows: NDArray[np.int64], part: Values | None) -> None:
        self._whole = whole
        self._rows = rows
        self._part = part

    def __getitem__(self, name: str) -> Floats:
        if self._part is not None and not self._whole.knows(name):
            return self._part[name]
        return self._whole[name][self._rows]

    def once(self, name: str) -> Floats:
        """The values of a signal, without keeping them if they are not known yet."""
        if self._part is not None and not self._whole.knows(name):
            return self._part.once(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


@dataclass(frozen=True, slots=True)
class SignalValues:
    """``definitions``: (N,) by signal, for each definition of the corpus; ``files``: (M,), for each of its files."""

    edit: EditContext
    definitions: Values | Selected
    files: Values | Selected

    @property
    def nbytes(self) -> int:
        """Of the arrays that were computed."""
        return sum(values.nbytes for values in (self.definitions, self.files) if isinstance(values, Values))

    def without_definitions(self) -> SignalValues:
        """The same without the values of all definitions, which take by far the most memory: ``part`` computes those
        that are asked about."""
        assert isinstance(self.files, Values), "a part"
        context = EditContext(self.edit.state, self.edit.edit)
        return SignalValues(context, Values(DEFINITION_SIGNALS, context), self.files.of(context))

    def part(self, files: Sequence[int]) -> SignalValues:
        """Those of some files (ascending) and of their definitions, in a corpus of these files alone."""
        assert isinstance(self.definitions, Values), "a part of a part"
        assert isinstance(self.files, Values), "a part of a part"
        context = EditContext(self.edit.state.part(files), self.edit.edit)
        chosen = np.array(files, dtype=np.int64)
        rows = self.edit.corpus.rows_of(chosen)
        return SignalValues(
            context,
            Selected(self.definitions, rows, Values(DEFINITION_SIGNALS, context)),
            Selected(self.files, chosen, None),
        )

    def candidate(self, row: int, text: str = "", moved: str = "") -> Candidate:
        """A definition, by its row in the corpus, with its text where that is at hand, and what was moved."""
        return Candidate(self.edit, self.definitions, self.files, row, text, moved)


def signals_of(state: State, edit: Edit) -> SignalValues:
    """Everything that the edit in progress says about what comes next."""
    context = EditContext(state, edit)
    return SignalValues(context, Values(DEFINITION_SIGNALS, context), Values(FILE_SIGNALS, context))
