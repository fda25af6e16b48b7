"""What the commands share that learn weights from other repositories: their options, and a pass over the clones."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.bundle import METADATA
from codewm_model.artifacts.bundle_format import bundle_format
from codewm_model.artifacts.model_card import card
from codewm_model.data.replay import clone_of

T = TypeVar("T")


def fit_parser(
    module: str,
    about: str,
    *,
    train: Sequence[str] | None = None,
    validation: Sequence[str] | None = None,
    output: str = "",
    report: bool = False,
) -> ArgumentParser:
    """The options of ``python -m codewm_model.ranking.MODULE``.

    ``--train`` and ``--validation`` exist where their defaults are given, ``--output`` where ``output`` is its help.
    """
    parser = ArgumentParser(prog=f"python -m codewm_model.ranking.{module}", description=about)
    parser.add_argument("--repos", type=Path, required=True, help="folder of local clones, one per owner+name")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what is mined from them")
    if train is not None:
        parser.add_argument(
            "--train", nargs="*", default=list(train), help="owner/name of the repositories to learn on"
        )
    if validation is not None:
        parser.add_argument("--validation", nargs="*", default=list(validation), help="those it is confirmed on")
    if output:
        parser.add_argument("--output", type=Path, help=output)
    if report:
        parser.add_argument("--report", type=Path, help="JSON report to write")
    return parser


def from_each_clone(folder: Path, names: Sequence[str], mine: Callable[[Path, str], T | None]) -> dict[str, T]:
    """What ``mine(clone, name)`` finds in the clones of ``folder``, without those where it finds nothing.

    Says which have no clone. Raises TrainingError where nothing is left.
    """
    found: dict[str, T] = {}
    for name in names:
        clone = clone_of(folder, name)
        if clone is None:
            print(f"{name}: no clone in {folder}; left out", file=sys.stderr)
            continue
        mined = mine(clone, name)
        if mined is not None:
            found[name] = mined
    if not found:
        raise TrainingError(f"{folder} holds none of the repositories: clone them there as owner+name.")
    return found


def put_beside_model(bundle: Path, about: dict[str, Any], **learnt: bytes) -> None:
    """Put what was learnt (``ranker`` or ``evidence``) into a bundle, and what it was learnt on into its card."""
    known = json.loads((bundle / METADATA).read_text(encoding="utf-8")) | about
    bundle_format().describe(bundle, about=about, card=card(known["name"], known), **learnt)
