"""What a protocol of the evaluation takes and gives: clones and models in, figures out.

A protocol is an object with a ``name`` and a ``run``. Every figure it gives says what it is about by itself (protocol,
setting, metric, system, repository, seed), so that means, intervals, paired tests, tables and bars are made of the
figures alone, in one place, for all protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.world_model import WorldModel

RANDOM: Final = "random"
"""The system that knows nothing."""

EVERYWHERE: Final = "all repositories"
"""``Figure.repository`` of a figure that is not of one repository alone."""


class Role(str, Enum):
    """What a system is in a comparison.

    Paired tests are made of each model against the best baseline, and of each blend against the best of baselines and
    bars.
    """

    CHANCE = "chance"  # random, class prior
    BASELINE = "baseline"
    BAR = "bar"  # a blend of plain scores: what a blend has to clear
    MODEL = "model"  # a model alone
    BLEND = "blend"  # the product's own ranking, with the model in it
    BOUND = "bound"  # an oracle, or a diagnostic: shown, never compared with


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: ``metric`` of ``system`` in one ``setting`` on one ``repository``, the mean over ``n`` queries.

    ``setting`` is what a table or a group of bars is about ("definitions, newest 3,000"), ``metric`` a column of it
    ("MRR@10"). Only figures of the same protocol, setting, metric and repository are compared. ``seed`` is that of
    ties, samples and choices.
    """

    protocol: str
    metric: str
    setting: str
    system: str
    repository: str
    value: float
    n: int
    seed: int


@dataclass(frozen=True, slots=True)
class Clone:
    """A local clone to measure on: ``owner/name``, where it lies, and its head commit when the command began."""

    name: str
    folder: Path
    head: str


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """A model to measure.

    ``world`` is what the product runs. ``run`` is the folder of its training run (``model.safetensors``,
    ``log.jsonl``) where there is one: protocols that need PyTorch read it. ``full`` says that ``world`` computes in
    fp32 from the run, there being no bundle.
    """

    name: str
    hash: str
    folder: Path
    world: WorldModel
    run: Path | None
    full: bool

    @property
    def blend(self) -> str:
        """The name of the system that is the product's own ranking with this model in it."""
        return f"blend with {self.name}"

    @property
    def whitened(self) -> str:
        """The name of the system that is this model alone, in the measure of a repository's own edits."""
        return f"{self.name}, whitened"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Weights that the paper's authors released: ``encode`` gives the states (N, size) of whole files.

    ``advance``: states (N, size) and rich actions (N, 15) → the predicted next states. ``target``: states by the target
    encoder that was trained against; None where that was not released.
    """

    name: str
    hash: str
    size: int
    encode: Callable[[Sequence[str]], NDArray[np.float32]]
    advance: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]] | None = None
    target: Callable[[Sequence[str]], NDArray[np.float32]] | None = None

    @property
    def system(self) -> str:
        """Its name in the tables."""
        return f"the paper's release, {self.name}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for all protocols of one run of the command.

    ``seeds``: of ties, samples and choices; a figure for each. ``cache``: a folder to keep what is expensive in.
    ``limit``: at most so many queries, or so many of what a protocol counts, on a repository (None: as the protocol
    says). ``baselines``: names of the optional ones wanted, None for all that need nothing more installed.
    ``references``: weights that the paper's authors released.
    """

    seeds: tuple[int, ...] = (0,)
    cache: Path = Path("cache")
    limit: int | None = None
    baselines: frozenset[str] | None = None
    references: tuple[Reference, ...] = ()


Progress = Callable[[str, int, int], None]
"""``progress(what, done, of)``: what is being done, and how far it is."""


@dataclass(slots=True)
class Outcome:
    """What a protocol found.

    ``roles``: the role of every system that has figures. ``explanation``: Markdown for the report, what was measured
    and how to read it (the same for every call). ``ranges``: the newest and the oldest commit looked at, by repository.
    ``left_out``: repositories that could not be measured, with the reason. ``extra``: whatever else belongs into the
    JSON report (curves, examples), plain JSON values.
    """

    figures: list[Figure] = field(default_factory=list)
    roles: dict[str, Role] = field(default_factory=dict)
    explanation: str = ""
    ranges: dict[str, tuple[str, str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


class EvaluationProtocol(Interface):
    """One of E1 to E7.

    ``apart`` says that each repository is measured for itself: the command then calls ``run`` once a repository and
    keeps each outcome in its cache, so that a run that was stopped goes on where it was. ``extra`` of such outcomes is
    merged by repository. ``better``: for each metric whether more is better (True), less is (False) or neither (None).
    """

    @property
    def name(self) -> str:
        """``e4``."""

    @property
    def title(self) -> str:
        """A heading."""

    @property
    def apart(self) -> bool:
        """Whether repositories are measured one by one."""

    @property
    def better(self) -> Mapping[str, bool | None]:
        """Metric → whether more of it is better. In the order in which a table shows them."""

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """Measure. Raises CodewmError where the user can put it right; a repository unfit for it is left out."""
