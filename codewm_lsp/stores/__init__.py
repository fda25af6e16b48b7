"""One index over many repositories: in SQLite on this machine, or in a Qdrant collection that others ask too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from codewm_lsp.errors import OptionError
from codewm_lsp.index import Source
from codewm_lsp.stores.interface import Store, source_of

__all__ = ["Source", "Store", "open_store", "source_of"]

_QDRANT = "qdrant:"


PATIENCE: Final = 30.0  # seconds that a server has for a question


def open_store(location: str, *, model_hash: str, edit_size: int, create: bool, patience: float = PATIENCE) -> Store:
    """Open a store; ``create``: make it where there is none, to fill it.

    ``location``: a folder (SQLite), ``http://HOST:PORT[/COLLECTION]`` or https (a Qdrant server; a key is taken from
    the environment, ``QDRANT_API_KEY``), or ``qdrant:FOLDER`` (Qdrant's embedded mode). Only a location that is an
    address is ever connected to, and it has ``patience`` seconds to be opened and for each question that it is asked.
    Raises ``OptionError`` or ``IndexStoreError``.
    """
    remote = location.startswith(("http://", "https://"))
    if remote or location.startswith(_QDRANT):
        from codewm_lsp.stores.qdrant import QdrantStore

        if remote:
            key = os.environ.get("QDRANT_API_KEY")
            return QdrantStore.connect(
                location, key, model_hash=model_hash, edit_size=edit_size, create=create, patience=patience
            )
        folder = Path(location.removeprefix(_QDRANT))
        return QdrantStore.embedded(folder, model_hash=model_hash, edit_size=edit_size, create=create)
    if "://" in location or not location:
        raise OptionError(
            f"--store {location!r} is neither a folder nor an address: write a folder for SQLite, "
            "http://HOST:6333/COLLECTION for a Qdrant server, or qdrant:FOLDER for Qdrant without a server"
        )
    from codewm_lsp.stores.sqlite import SqliteStore

    return SqliteStore.open(Path(location), model_hash=model_hash, edit_size=edit_size, create=create)
