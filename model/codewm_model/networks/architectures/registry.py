"""Architectures by name: those that come with CodeWM, and those that installed packages offer.

A package offers one through an entry point of the group ``codewm.architectures``. The entry point's name is what
``architecture.encoder`` or ``architecture.predictor`` of the configuration says; it leads to an ``Architecture``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Final, Literal

import torch

from codewm_lsp.errors import OptionError
from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_model.networks.architectures.base import StateEncoder, TransitionPredictor
from codewm_model.settings.config import PAPERS, ArchitectureConfig

GROUP: Final = "codewm.architectures"
OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "looped": "codewm_model.networks.architectures.looped",
        "mlp": "codewm_model.networks.architectures.mlp",
        "mini-transformer": "codewm_model.networks.architectures.mini_transformer",
        "koopman": "codewm_model.networks.architectures.koopman",
        "reference": "codewm_model.networks.architectures.paper_networks",
        "paper1": "codewm_model.networks.architectures.paper1",
        "leworldmodel": "codewm_model.networks.architectures.leworldmodel",
    }
)
Kind = Literal["encoder", "predictor"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to make a state encoder, a transition predictor or both from the sizes of a configuration."""

    about: str
    encoder: Callable[[ArchitectureConfig], StateEncoder] | None = None
    predictor: Callable[[ArchitectureConfig], TransitionPredictor] | None = None


def known() -> dict[str, str]:
    """Names of all architectures, and where each comes from: ``codewm`` or the name of a package."""
    return dict.fromkeys(OURS, "codewm") | {name: _package(entry) for name, entry in _offered().items()}


def find(name: str) -> Architecture:
    """The architecture of a name.

    Raises OptionError when there is none of that name, two packages offer one, or a package's one cannot be loaded.
    """
    if name in OURS:
        ours: Architecture = import_module(OURS[name]).ARCHITECTURE
        return ours
    entry = _offered().get(name)
    if entry is None:
        names = list(known())
        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"
        raise OptionError(f"unknown architecture {name!r}{hint}")
    try:
        found = entry.load()
    except Exception as error:  # another package's module can fail in any way; all of them mean the same
        raise OptionError(f"architecture {name!r} of {_package(entry)} cannot be loaded: {_said(error)}") from error
    if not isinstance(found, Architecture):
        raise OptionError(
            f"architecture {name!r} of {_package(entry)} is not a codewm_model.networks.architectures.Architecture"
        )
    return found


def settings_of(name: str) -> Mapping[str, Mapping[str, Any]]:
    """The settings that choose an architecture; for the papers' networks, those that they were trained with. Raises
    OptionError."""
    if name in PAPERS:
        return PAPERS[name]
    found = find(name)
    return {"architecture": {kind: name for kind in ("encoder", "predictor") if getattr(found, kind)}}


def make_encoder(config: ArchitectureConfig) -> StateEncoder:
    """The state encoder that ``config.encoder`` names. Raises OptionError as ``find`` does, or when it is unfit."""
    encoder: StateEncoder = _make(config.encoder, "encoder", StateEncoder, config)
    tokens = torch.ones(2, 3, dtype=torch.long)
    _check(config.encoder, encoder, (tokens, tokens), config)
    return encoder


def make_predictor(config: ArchitectureConfig) -> TransitionPredictor:
    """The transition predictor that ``config.predictor`` names. Raises OptionError like ``make_encoder``."""
    predictor: TransitionPredictor = _make(config.predictor, "predictor", TransitionPredictor, config)
    example = torch.zeros(2, config.state_size), torch.zeros(2, RICH_ACTION_SIZE)
    _check(config.predictor, predictor, example, config)
    return predictor


def _make(name: str, kind: Kind, expected: type[Any], config: ArchitectureConfig) -> Any:
    make = getattr(find(name), kind)
    if make is None:
        others = [other for other in OURS if getattr(find(other), kind)]
        raise OptionError(f"architecture {name!r} has no {kind}; choose another for it, as {', '.join(others)}")
    try:
        made = make(config)
    except (TypeError, ValueError, KeyError) as error:
        raise OptionError(f"the {kind} of architecture {name!r} cannot be made: {_said(error)}") from error
    if not isinstance(made, expected):
        raise OptionError(
            f"the {kind} of architecture {name!r} is not a codewm_model.networks.architectures.{expected.__name__}"
        )
    return made


def _check(name: str, made: Any, example: tuple[torch.Tensor, ...], config: ArchitectureConfig) -> None:
    with torch.no_grad():
        shape = tuple(made(*example).shape)
    if shape != (2, config.state_size):
        raise OptionError(
            f"architecture {name!r} gives {shape} for a batch of two, instead of (2, {config.state_size}): "
            f"it does not follow architecture.state_size"
        )


def _offered() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        first = found.setdefault(entry.name, entry)
        if entry.name in OURS or first.value != entry.value:
            owner = "codewm" if entry.name in OURS else _package(first)
            raise OptionError(
                f"{_package(entry)} and {owner} both offer an architecture {entry.name!r}: uninstall one of them"
            )
    return found


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.module


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
