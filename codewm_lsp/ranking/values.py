"""What all signals say after one edit in progress; a signal that nobody asks about is never computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from codewm_lsp.history import Edit
from codewm_lsp.ranking.candidate import Candidate
from codewm_lsp.ranking.edit_context import EditContext, Floats
from codewm_lsp.ranking.signal import Signal
from codewm_lsp.ranking.signals import DEFINITION_SIGNALS, FILE_SIGNALS
from codewm_lsp.ranking.state import State

MOST_EDITS: Final = 8  # edits in progress that are asked about, the newest ones


class Values(Mapping[str, Floats]):
    """Signal → its values, in the order of the registry; each is computed when it is first looked up."""

    def __init__(self, signals: Mapping[str, Signal], edit: EditContext) -> None:
        self._signals = signals
        self._edit = edit
        self._known: dict[str, Floats] = {}

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

    @property
    def nbytes(self) -> int:
        """Of the arrays that were computed."""
        return sum(values.nbytes for values in self._known.values())


class SignalValues:
    """``definitions``: (N,) by signal, for each definition of the corpus; ``files``: (M,), for each of its files."""

    def __init__(self, edit: EditContext) -> None:
        self.edit = edit
        self.definitions = Values(DEFINITION_SIGNALS, edit)
        self.files = Values(FILE_SIGNALS, edit)

    @property
    def nbytes(self) -> int:
        """Of the arrays that were computed."""
        return self.definitions.nbytes + self.files.nbytes

    def candidate(self, row: int) -> Candidate:
        """A definition, by its row in the corpus."""
        return Candidate(self.edit, self.definitions, self.files, row)


def signals_of(state: State, edit: Edit) -> SignalValues:
    """Everything that the edit in progress says about what comes next."""
    return SignalValues(EditContext(state, edit))
