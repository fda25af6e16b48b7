"""The setting ``store``: past edits of other repositories, for lenses on changed definitions. No protocol type in here.

A store that cannot be asked costs its own answers and no others: that is said once, and tried again later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import CodewmError, RepositoryError
from codewm_lsp.history import Edit, Repository
from codewm_lsp.index import Dismissal, Hit, PastEdit
from codewm_lsp.stores import Source, Store, is_own, open_store, question_to, source_of
from codewm_lsp.stores.places import elsewhere

AGAIN: Final = 60.0  # seconds until a store that failed is tried again; twice as many after each further failure
LATEST: Final = 600.0  # seconds after which it is tried again at the latest: each try may hold up hints
PATIENCE: Final = 10.0  # seconds that a store has for an answer: the lenses of an edit wait for it
FRESH: Final = 300.0  # seconds for which what a store answered is taken for what it would answer


class OtherRepositories:
    """A store, asked about everything but the repository at hand."""

    def __init__(
        self,
        location: str,
        own: Repository,
        cache: Path | None,
        dismissed: Callable[[], frozenset[Dismissal]],
        notify: Callable[[str], None],
    ) -> None:
        self._location = location
        self._own = own
        self._cache = cache
        self._dismissed = dismissed
        self._notify = notify
        self._source = Source("", "")
        self._commits: frozenset[str] = frozenset()
        self._store: Store | None = None
        self._model = ""
        self._failed = -LATEST
        self._failures = 0  # in a row

    def state(self) -> object:
        """Changes when it is time to ask again."""
        return self._failed, time.monotonic() // FRESH

    def search(self, edit: Edit, vector: NDArray[np.float32], model: str, k: int) -> list[Hit]:
        """The ``k`` past edits of other repositories most like ``edit``; none when the store cannot be asked."""
        if self._failures and time.monotonic() - self._failed < min(LATEST, AGAIN * 2.0 ** (self._failures - 1)):
            return []
        try:
            if self._store is None or self._model != model:
                self.close()
                self._source = source_of(self._own)
                self._commits = frozenset(self._own.ancestors()) if self._own.is_shallow else frozenset()
                self._store = open_store(
                    self._location, model_hash=model, edit_size=len(vector), create=False, patience=PATIENCE
                )
                self._model = model
            unwanted = {(one.sha, one.path, one.definition) for one in self._dismissed()}

            def accepted(found: PastEdit) -> bool:
                other = found.source is not None and not is_own(found, self._source, self._commits)
                names = {(found.commit.sha, "", ""), (found.commit.sha, found.path, found.definition)}
                return other and not names & unwanted

            with question_to(self._location):
                found = self._store.search(edit, vector, k=k, accept=accepted)
            self._failures = 0
            return found
        except CodewmError as error:
            self._failed = time.monotonic()
            self._failures = min(self._failures + 1, 16)
            self.close()
            said = str(error).removeprefix("--store ")
            self._notify(f"Setting codewm.store: {said} Hints come from this repository only.")
            return []

    def edit(self, past: PastEdit) -> tuple[Edit | None, Path | None]:
        """An edit with its texts, and the folder of its repository; None where that is not on this machine."""
        folder = elsewhere(self._cache).get(past.source.key) if past.source is not None else None
        if folder is not None:
            with suppress(RepositoryError), Repository.open(folder) as repository:
                edit = repository.edit_of(past.commit.sha, past.path, past.definition)
                if edit is not None:
                    return edit, repository.root
        return None, None

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()
            self._store = None
