"""Every setting of the model and of its training, with the reason for its default.

``codewm-train config show`` prints them with these reasons; ``codewm_model.settings.toml_files`` reads them from TOML
files and from the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from codewm_lsp.errors import OptionError
from codewm_model.settings.structure import Scalar, setting, shown, structured

FORMAT: Final = 1
"""Of configuration files, ``config.json`` and checkpoints. A file of a higher format is refused, not guessed at."""


def reason(kind: type[Any], name: str) -> str:
    """Why the default of a setting is what it is."""
    (found,) = (f for f in dataclasses.fields(kind) if f.name == name)
    return str(found.metadata.get("why", ""))


@dataclass(frozen=True, slots=True)
class ArchitectureConfig:
    """Sizes of the four networks; together about one million parameters, 0.6 MB in int4."""

    encoder: str = setting("looped", "of states; the paper's loop with a readout that keeps differences additive")
    predictor: str = setting("looped", "of transitions; the paper's two tokens through looped blocks")
    state_size: int = setting(
        128, "numbers of a state, as in paper 1; a bundle holds no other size", least=1, most=1024
    )
    heads: int = setting(4, "of attention, as in paper 1; divides every width", least=1, most=1024)
    loops: int = setting(
        1, "the signal of a transition shrinks with every loop; one won, and is fastest", least=1, most=64
    )
    state_expansion: int = setting(
        2, "MLP of the state encoder; twice did as well as paper 1's four times", least=1, most=8
    )
    predictor_expansion: int = setting(2, "twice, not four times: the bundle must stay under 0.6 MB", least=1, most=8)
    predictor_loops: int = setting(
        2, "a single transition needs few turns, and a roll-out has three of them", least=1, most=64
    )
    layers: int = setting(
        2, "of mini-transformers: distinct ones, so each costs what the whole loop costs", least=1, most=16
    )
    operator_rank: int = setting(
        64, "of a Koopman operator's departure from the identity: half a state", least=1, most=4096
    )
    word_size: int = setting(
        64, "of the edit encoder; wider ones learned their repositories by heart", least=1, most=1024
    )
    word_layers: int = setting(2, "of the edit encoder; more did not generalise better", least=1, most=16)
    contextual_size: int = setting(
        128, "of an embedding's learned part; a bundle holds no other size", least=1, most=1024
    )
    next_size: int = setting(96, "of the next-edit predictor: seven tokens do not need more", least=1, most=1024)
    next_loops: int = setting(2, "of the next-edit predictor", least=1, most=64)
    options: Mapping[str, Scalar] = field(
        default_factory=dict,
        metadata={"why": "for architectures of other packages, which say what they take", "least": None},
    )


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One training run: four stages in a row, each with its own number of steps.

    ``transition``: the JEPA over chains. ``edit``: the edit encoder over siblings, on states frozen by then.
    ``next``: the next-edit predictor over the order of real histories. ``predictor``: the transition predictor alone,
    over states that stand still by then.
    """

    seed: int = setting(42, "the paper's first; set before a single weight is made", least=0, most=2**63 - 1)
    transition_steps: int = setting(400, "more repositories help more than more steps", least=0)
    edit_steps: int = setting(900, "held-out repositories stop gaining about there", least=0)
    next_steps: int = setting(800, "held-out repositories stop gaining about there", least=0)
    predictor_steps: int = setting(3_000, "of states that are computed once: as long as sixty of the first", least=0)
    transition_batch: int = setting(
        48, "half of them windows of chains, half siblings; what a laptop holds", least=4, most=16_384
    )
    edit_batch: int = setting(192, "in-batch negatives of three repositories", least=4, most=16_384)
    next_batch: int = setting(
        96, "of three repositories; the distractors beside it are drawn apart", least=3, most=16_384
    )
    predictor_batch: int = setting(256, "windows of chains; their states are at hand", least=2, most=16_384)
    window: int = setting(3, "transitions of a chain in one sample (paper 1)", least=1, most=64)
    transition_rate: float = setting(5e-4, "higher than paper 1's 1e-4: far fewer steps", least=0)
    edit_rate: float = setting(1e-3, "a small network from scratch", least=0)
    next_rate: float = setting(1e-3, "a small network from scratch", least=0)
    predictor_rate: float = setting(1e-3, "a small network, on states that stand still", least=0)
    warmup: int = setting(100, "half of paper 1's, for a tenth of its steps", least=0)
    weight_decay: float = setting(0.01, "AdamW's own, on matrices only", least=0)
    target: Literal["ema", "none"] = setting(
        "ema", "none: the next state is the online encoder's own, with its gradient (LeJEPA)"
    )
    decay: float = setting(
        1.0, "EMA of the target encoder: 1.0 frozen (its embeddings are cached), 0.99999 near-static", least=0, most=1
    )
    prediction_weight: float = setting(1.0, "paper 1", least=0)
    delta_weight: float = setting(0.5, "paper 1", least=0)
    norm_weight: float = setting(0.02, "a fifth of paper 1's: an uncertain change is better predicted short", least=0)
    delta_origin: Literal["target", "online"] = setting(
        "target", "where a change of state begins; paper 1's online state adds a translation all edits share"
    )
    composition_weight: float = setting(0.5, "of all further steps of a roll-out together", least=0)
    contrast_weight: float = setting(
        1.0, "InfoNCE of predictions against all states of the batch: what brings them past a copy", least=0
    )
    predictor_contrast_weight: float = setting(
        0.3, "the same over states that stand still: 1.0 costs some of the direction of the change", least=0
    )
    sigreg_weight: float = setting(0.0, "SIGReg on online states; what holds a training without target up", least=0)
    sigreg_directions: int = setting(
        256, "that SIGReg looks along in a step; new ones in each, so that few are enough", least=1, most=65_536
    )
    loop_weight: float = setting(
        0.0, "prediction loss on the state after each loop but the last; paper 2: 0.3, for encoders it suits", least=0
    )
    longest: int = setting(0, "definitions with more tokens are left out of the transition stage; 0: none", least=0)
    covariance_of: Literal["correlations", "covariances"] = setting(
        "correlations", "free of scale; paper 1's covariances vanish with the representation, which invites collapse"
    )
    covariance_weight: float = setting(0.02, "on correlations; twice paper 1's 0.01 on covariances", least=0)
    variance_weight: float = setting(0.1, "VICReg on the readout (paper 2)", least=0)
    sibling_weight: float = setting(0.25, "InfoNCE on the differences of states: siblings are alike", least=0)
    temperature: float = setting(0.07, "of every InfoNCE term; the usual one", least=1e-4)
    word_dropout: float = setting(0.15, "a repository's own words are not to be learned by heart", least=0, most=1)
    commits_window: int = setting(150, "in-repository negatives come from this many neighbouring commits", least=2)
    clip: float = setting(1.0, "of the gradient's norm", least=0)
    quantise_from: float = setting(
        0.5, "from this part of each stage on, weights are rounded to int4 in the forward pass", least=0
    )
    evaluate_every: int = setting(250, "steps; an evaluation takes as long as some ten steps", least=1)
    checkpoint_every: int = setting(100, "steps; what a kill -9 loses at the most", least=1)
    gallery: int = setting(
        5_000, "next states among which the true one is looked for; a small one flatters", least=2, most=1_000_000
    )
    edits_per_repository: int = setting(4_000, "the newest; more repositories help more than more of each", least=1)
    resident_mb: int = setting(
        0, "of a corpus, in memory at a time; 0: all of it. What does not fit is read in turns", least=0
    )
    turn_steps: int = setting(200, "until the next shards are read, where a corpus does not fit", least=1)
    bf16: bool = setting(False, "autocast of the state encoder; always on where there is a GPU, no gain on most CPUs")
    threads: int = setting(0, "0: as many as there are cores", least=0, most=1024)
    on_collapse: Literal["warn", "stop", "fix"] = setting(
        "warn", "what a collapse means is for the reader to judge; fix: the target goes back to its start and stays"
    )


@dataclass(frozen=True, slots=True)
class Config:
    """What ``config.json`` of a run holds."""

    architecture: ArchitectureConfig = field(default_factory=ArchitectureConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def as_dict(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "the configuration") -> Config:
        """Read back; ``source`` is named in errors.

        Raises OptionError on a format of a newer version, an unknown key, or a value of another type.
        """
        check_format(data, source)
        made = structured(cls, {name: value for name, value in data.items() if name != "format"}, source, key="section")
        networks = made.architecture
        for name in ("state_size", "word_size", "next_size"):
            if getattr(networks, name) % networks.heads:
                raise OptionError(
                    f"architecture.heads in {source} is {networks.heads}: it must divide {name} "
                    f"({getattr(networks, name)})"
                )
        return made


SECTIONS: Final[dict[str, type[Any]]] = {"architecture": ArchitectureConfig, "training": TrainingConfig}


def check_format(data: Mapping[str, Any], source: str) -> None:
    """Raise OptionError when ``data`` was written by a newer version."""
    found = data.get("format", FORMAT)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise OptionError(f"format of {source} is {shown(found)}: write format = {FORMAT}")
    if found > FORMAT:
        raise OptionError(
            f"{source} has format {shown(found)} and comes from a newer version of CodeWM; this one reads up to "
            f"{FORMAT}: upgrade codewm"
        )


PRESETS: dict[str, Config] = {
    "base": Config(),
    "local": Config(
        training=TrainingConfig(
            transition_steps=0,
            edit_steps=250,
            next_steps=150,
            predictor_steps=0,
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
            predictor_steps=6,
            transition_batch=12,
            edit_batch=24,
            next_batch=12,
            predictor_batch=12,
            warmup=2,
            evaluate_every=3,
            checkpoint_every=3,
            gallery=200,
            edits_per_repository=400,
        )
    ),
}


PAPERS: Final[dict[str, dict[str, dict[str, Scalar]]]] = {
    "paper1": {
        "architecture": {
            "encoder": "paper1",
            "predictor": "paper1",
            "loops": 6,
            "state_expansion": 4,
            "predictor_loops": 6,
            "predictor_expansion": 4,
        },
        "training": {
            "decay": 0.99999,
            "delta_origin": "online",
            "norm_weight": 0.1,
            "contrast_weight": 0.0,
            "composition_weight": 0.0,
            "covariance_weight": 0.01,
            "covariance_of": "covariances",
            "variance_weight": 0.0,
            "sibling_weight": 0.0,
        },
    },
}
"""The networks of the papers, with the losses they were trained with, by the name that ``--architecture`` takes."""
PAPERS["paper2"] = {
    "architecture": PAPERS["paper1"]["architecture"] | {"encoder": "reference", "predictor": "reference", "loops": 3},
    "training": PAPERS["paper1"]["training"] | {"loop_weight": 0.3, "variance_weight": 0.1, "covariance_weight": 0.1},
}
