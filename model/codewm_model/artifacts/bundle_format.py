"""How a model becomes a bundle that the product runs, and back again: another package's to know.

``codewm_export`` offers it by an entry point of the group ``codewm.bundle_formats``, so that it can import the networks
without their importing it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

from codewm_lsp.errors import TrainingError
from codewm_lsp.installation import install_command
from codewm_lsp.world_model.features import CommonWords
from codewm_model.networks.code_world_model import CodeWorldModel

GROUP: Final = "codewm.bundle_formats"


class WriteBundle(Protocol):
    """Writes a model into a folder and returns the bundle's metadata; ``about`` goes into it, ``card`` beside it."""

    def __call__(
        self, model: CodeWorldModel, common: CommonWords, folder: Path, *, name: str, about: dict[str, Any], card: str
    ) -> dict[str, Any]: ...


class DescribeBundle(Protocol):
    """Says more in the metadata and the card of a bundle that is there, and puts into it what was learnt with it."""

    def __call__(
        self,
        folder: Path,
        *,
        about: dict[str, Any],
        card: str,
        ranker: bytes | None = None,
        evidence: bytes | None = None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class BundleFormat:
    """A way to store a model. ``read`` gives the model, its common words and its metadata."""

    write: WriteBundle
    describe: DescribeBundle
    read: Callable[[Path], tuple[CodeWorldModel, CommonWords, dict[str, Any]]]


def bundle_format() -> BundleFormat:
    """The format of the installed package that offers one. Raises TrainingError when there is none."""
    for entry in entry_points(group=GROUP):
        found = entry.load()
        if isinstance(found, BundleFormat):
            return found
    raise TrainingError(
        f"no installed package writes bundles (entry points {GROUP!r}). Run `{install_command('train')}`."
    )
