"""Every setting of the model and of its training, with the reason for its default."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from codewm_lsp.errors import OptionError


@dataclass(frozen=True, slots=True)
class ArchitectureConfig:
    """Sizes of the four networks; together about one million parameters, 0.6 MB in int4."""

    state_size: int = 128  # numbers of the structure stream of a state
    heads: int = 4
    loops: int = 3  # the signal of a transition shrinks with every loop (paper 2): three instead of six
    state_expansion: int = 4
    predictor_expansion: int = 2  # twice, not four times: the bundle must stay under 0.6 MB
    predictor_loops: int = 2
    word_size: int = 64
    word_layers: int = 2
    contextual_size: int = 128
    next_size: int = 96
    next_loops: int = 2


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One training run: three stages in a row, each with its own number of steps.

    ``transition``: the JEPA over chains. ``edit``: the edit encoder over siblings, on states frozen by then.
    ``next``: the next-edit predictor over the order of real histories.
    """

    seed: int = 42
    transition_steps: int = 600
    edit_steps: int = 1_400
    next_steps: int = 800
    transition_batch: int = 48
    edit_batch: int = 192
    next_batch: int = 96
    window: int = 3  # transitions of a chain in one sample (paper 1)
    transition_rate: float = 5e-4
    edit_rate: float = 1e-3
    next_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    decay: float = 1.0  # EMA of the target encoder: 1.0 frozen (its embeddings are cached), 0.99999 near-static
    prediction_weight: float = 1.0
    delta_weight: float = 0.5
    norm_weight: float = 0.1
    covariance_weight: float = 0.02
    variance_weight: float = 0.1  # VICReg on the readout (paper 2)
    sibling_weight: float = 0.5  # InfoNCE on the differences of states: siblings are alike
    temperature: float = 0.07
    word_dropout: float = 0.15
    commits_window: int = 150  # in-repository negatives come from this many neighbouring commits
    clip: float = 1.0
    quantise_from: float = 0.6  # from this part of each stage on, weights are rounded to int4 in the forward pass
    evaluate_every: int = 250
    checkpoint_every: int = 100
    gallery: int = 5_000
    edits_per_repository: int = 4_000
    bf16: bool = False  # autocast of the state encoder; always on where there is a GPU, no gain on most CPUs
    threads: int = 0  # 0: as many as there are cores
    on_collapse: Literal["warn", "stop"] = "warn"


@dataclass(frozen=True, slots=True)
class Config:
    """What ``config.json`` of a run holds."""

    architecture: ArchitectureConfig = field(default_factory=ArchitectureConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def as_dict(self) -> dict[str, Any]:
        """As JSON writes it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Config:
        """Read back; raises OptionError on an unknown key."""
        unknown = set(data) - {"architecture", "training"}
        if unknown:
            raise OptionError(f"unknown section {sorted(unknown)[0]!r} in the configuration: remove it")
        return cls(
            architecture=_fill(ArchitectureConfig, data.get("architecture", {})),
            training=_fill(TrainingConfig, data.get("training", {})),
        )


def _fill(kind: type[Any], values: dict[str, Any]) -> Any:
    names = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        import difflib

        near = difflib.get_close_matches(unknown[0], names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise OptionError(f"unknown setting {unknown[0]!r} of {kind.__name__}{hint}")
    return kind(**values)


PRESETS: dict[str, Config] = {
    "base": Config(),
    "local": Config(
        training=TrainingConfig(
            transition_steps=0,
            edit_steps=250,
            next_steps=150,
            edit_rate=2e-4,
            next_rate=2e-4,
            warmup=20,
            evaluate_every=100,
            quantise_from=0.0,
            gallery=1_000,
        )
    ),
    "smoke": Config(
        training=TrainingConfig(
            transition_steps=6,
            edit_steps=6,
            next_steps=6,
            transition_batch=12,
            edit_batch=24,
            next_batch=12,
            warmup=2,
            evaluate_every=3,
            checkpoint_every=3,
            gallery=200,
            edits_per_repository=400,
        )
    ),
}
