"""One index over many repositories: in a folder of this machine, or in a database that others ask too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from codewm_lsp.errors import CodewmError, OptionError, StoreFailedError
from codewm_lsp.index import Source
from codewm_lsp.stores.interface import Shelf, Store, StoreOpener, is_own, source_of, source_to_fill, storable

__all__ = [
    "GROUP",
    "Shelf",
    "Source",
    "Store",
    "StoreOpener",
    "is_own",
    "open_store",
    "question_to",
    "source_of",
    "source_to_fill",
]

GROUP: Final = "codewm.stores"
"""Entry points: the beginning of a location, up to its colon, names the ``StoreOpener`` that opens it."""

PATIENCE: Final = 30.0  # seconds that a server has for a question


def open_store(location: str, *, model_hash: str, edit_size: int, create: bool, patience: float = PATIENCE) -> Store:
    """Open a store; ``create``: make it where there is none, to fill it.

    ``location``: a folder (SQLite), or what an entry point of the group ``codewm.stores`` opens:
    ``postgresql://…`` (PostgreSQL with pgvector), ``http://HOST:PORT[/COLLECTION]`` or https (Qdrant),
    ``qdrant:FOLDER`` (Qdrant's embedded mode). Only a location that is an address is ever connected to, and it has
    ``patience`` seconds to be opened and for each question that it is asked. Raises ``OptionError`` or
    ``IndexStoreError``.
    """
    opener = _opener(location)
    if opener is None:
        from codewm_lsp.stores.sqlite import SqliteStore

        return SqliteStore.open(Path(location), model_hash=model_hash, edit_size=edit_size, create=create)
    with question_to(location):
        return opener(location, model_hash=model_hash, edit_size=edit_size, create=create, patience=patience)


@contextmanager
def question_to(location: str) -> Iterator[None]:
    """One question to a store: whatever another package's code raises is a ``StoreFailedError``."""
    try:
        yield
    except CodewmError:
        raise
    except Exception as error:
        scheme, colon, _ = location.partition(":")
        shown = f"{scheme}:…" if colon else location  # there may be a password in the rest
        raise StoreFailedError(
            f"The store {shown} failed ({type(error).__name__}: {storable(str(error), 200)})."
        ) from error


def _opener(location: str) -> StoreOpener | None:
    """What opens a location; None: it is a folder."""
    scheme, colon, _ = location.partition(":")
    if "://" in location:
        try:
            urlsplit(location)
        except ValueError as error:  # the address is not repeated: there may be a password in it
            raise OptionError(f"--store {scheme}://…: that is not an address ({error}).") from error
    entries = list(entry_points(group=GROUP)) if colon and len(scheme) > 1 else []  # C: is a drive
    found = {one.value: one for one in entries if one.name == scheme}  # one that is found twice counts once
    if len(found) > 1:
        raise OptionError(
            f"--store {scheme}:…: several packages open {scheme}: stores ({', '.join(sorted(found))}). Uninstall all "
            "but one."
        )
    for entry in found.values():
        return _loaded(entry)
    if "://" in location or not location:
        known = ", ".join(sorted({one.name for one in entries}))
        shown = f"{scheme}://…" if location else "''"  # there may be a password in the rest
        raise OptionError(
            f"--store {shown} is neither a folder nor an address. Use a folder (SQLite), "
            "postgresql://HOST/DATABASE, http://HOST:6333/COLLECTION for a Qdrant server, or qdrant:FOLDER for Qdrant "
            "without a server" + (f" (known: {known})." if known else ".")
        )
    return None


def _loaded(entry: EntryPoint) -> StoreOpener:
    try:
        opener = entry.load()
    except OptionError:  # says what to install
        raise
    except Exception as error:  # another package's code
        raise OptionError(f"The package for {entry.name}: stores ({entry.value}) cannot be loaded: {error}") from error
    if not callable(opener):
        raise OptionError(f"The package for {entry.name}: stores ({entry.value}) offers no function.")
    found: StoreOpener = opener
    return found
