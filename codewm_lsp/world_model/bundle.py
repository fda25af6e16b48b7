"""The folder a model is shipped in: four ONNX graphs, the common words, what was learnt with these, and ``model.json``
that vouches for all."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any, Final

import numpy as np

from codewm_lsp.errors import BundleError
from codewm_lsp.records import dataclass
from codewm_lsp.source import TOKENISER_VERSION, VOCABULARY_HASH
from codewm_lsp.world_model.embedding import EDIT_SIZE, STATE_SIZE
from codewm_lsp.world_model.features import FEATURES_VERSION, CommonWords

FORMAT: Final = 1
METADATA: Final = "model.json"
WORDS: Final = "words.bin"
RANKER: Final = "ranker.npz"
EVIDENCE: Final = "evidence.npz"
LEARNT: Final = (RANKER, EVIDENCE)
"""Files that a bundle may lack, and that its vectors do not depend on."""
GRAPHS: Final = ("state", "edit", "transition", "next")
MAX_BYTES: Final = 600_000
LARGEST: Final = 64 << 20  # bytes of a file that is still read: more is no bundle, whoever made it
SHIPPED: Final = Path(__file__).resolve().parent.parent / "models"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle: every file is there and is the one that ``model.json`` names.

    ``hash`` names the model: 16 hexadecimal digits over the files that make its vectors, without those of ``LEARNT``.
    ``ranker`` and ``evidence``: the contents of these, which models made by older versions do not have.
    """

    folder: Path
    name: str
    hash: str
    metadata: dict[str, Any]
    graphs: dict[str, bytes]
    common: CommonWords
    ranker: bytes | None = None
    evidence: bytes | None = None

    @property
    def bytes(self) -> int:
        """Size of all files of the bundle."""
        names = [METADATA, WORDS, *(f"{graph}.onnx" for graph in GRAPHS)]
        learnt = len(self.ranker or b"") + len(self.evidence or b"")
        return sum((self.folder / name).stat().st_size for name in names) + learnt


def shipped() -> Path:
    """The folder of the newest model in the package. Raises BundleError when there is none."""
    folders = sorted(path.parent for path in SHIPPED.glob(f"*/{METADATA}"))
    if not folders:
        raise BundleError(f"there is no model in {SHIPPED}: reinstall CodeWM, or choose a model")
    return folders[-1]


def read_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle. Raises BundleError with the file and the remedy."""
    again = "export it again with codewm-export, or use the shipped model"
    try:
        metadata = json.loads(_read(folder / METADATA).decode("utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} is not a model (it has no {METADATA}): {again}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{folder / METADATA} cannot be read ({error}): {again}") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        found = metadata.get("format") if isinstance(metadata, dict) else None
        raise BundleError(f"{folder} has format {found!r}, and this version reads {FORMAT}: {again}")
    for key, expected in expected_versions().items():
        if metadata.get(key) != expected:
            raise BundleError(
                f"{folder} was made for {key} {metadata.get(key)!r}, this version has {expected!r}: "
                "train or export it again"
            )
    files = metadata.get("files")
    names = [WORDS, *(f"{graph}.onnx" for graph in GRAPHS)]
    if not isinstance(files, dict) or not all(isinstance(files.get(name), str) for name in names):
        raise BundleError(f"{folder / METADATA} does not list all files of a model: {again}")
    contents: dict[str, bytes] = {}
    for name in (*names, *(one for one in LEARNT if one in files)):
        try:
            data = _read(folder / name)
        except OSError as error:
            raise BundleError(f"{folder / name} cannot be read ({error.strerror or error}): {again}") from error
        if hashlib.sha256(data).hexdigest() != files[name]:
            raise BundleError(f"{folder / name} is truncated or was changed after it was exported: {again}")
        contents[name] = data
    if len(contents[WORDS]) % 4:
        raise BundleError(f"{folder / WORDS} is not a list of words: {again}")
    return Bundle(
        folder=folder,
        name="".join(filter(str.isprintable, str(metadata.get("name", folder.name))))[:80],
        hash=bundle_hash(files),
        metadata=metadata,
        graphs={graph: contents[f"{graph}.onnx"] for graph in GRAPHS},
        common=CommonWords(np.frombuffer(contents[WORDS], "<u4").astype(np.uint32)),
        ranker=contents.get(RANKER),
        evidence=contents.get(EVIDENCE),
    )


def _read(file: Path) -> bytes:
    """A whole file. Raises OSError; also for what is no file (a pipe would be waited for) or endless."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is not a regular file")
    if status.st_size > LARGEST:
        raise OSError(f"it has {status.st_size:,} bytes, more than {LARGEST:,}")
    return file.read_bytes()


def bundle_hash(files: dict[str, str]) -> str:
    """The name of a model, from the SHA-256 of its files.

    Indexes are named after it, since they hold its vectors; these do not depend on what was learnt with them."""
    joined = "\n".join(f"{name} {files[name]}" for name in sorted(files) if name not in LEARNT)
    return hashlib.sha256(joined.encode("utf-8")).hexdigest()[:16]


def expected_versions() -> dict[str, int | str]:
    """What a bundle must have been made for, by the names that ``model.json`` gives them."""
    return {
        "tokeniser_version": TOKENISER_VERSION,
        "vocabulary_hash": VOCABULARY_HASH,
        "features_version": FEATURES_VERSION,
        "edit_size": EDIT_SIZE,
        "state_size": STATE_SIZE,
    }
