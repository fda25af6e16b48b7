"""The collapse alarm: paper 1's indicator, watched while training, so that no loss curve has to tell.

The indicator, cos(target(s_t), target(s_t+1)) over edits that change something, has no healthy value of its own: a
definition or a whole file, one readout or another give anything from 0.5 to 0.9999 at a random start. What tells a
collapse is its course: the *gap* that is left to 1 shrinks, and goes on shrinking, while a static target keeps it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from codewm_model.settings.config import TrainingConfig

SHRUNK: Final = 0.5
"""The part of its first value that the gap must fall below. A frozen target keeps it within a few per cent."""
BEGIN: Final = 8
"""Steps whose mean is the gap's first value."""
SPAN: Final = 12
"""Steps whose mean is the gap at present."""
DEGENERATE: Final = 2.0
"""An effective rank of the online states under this is a collapse as well, whatever the target does."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """What the alarm says: when, what it saw, and why and what to do in words."""

    step: int
    indicator: float
    shrunk: float  # the gap, as a part of its first value
    cause: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"COLLAPSE at step {self.step}: {self.cause} (copy indicator {self.indicator:.4f}, its gap to 1 is down to "
            f"{100 * self.shrunk:.0f} % of what it was). The loss will not show it. {self.remedy}"
        )


@dataclass(slots=True)
class CollapseAlarm:
    """Watches one transition stage. ``watch`` is fed the indicator of every step's batch, and sounds once."""

    training: TrainingConfig
    first: list[float] = field(default_factory=list)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=SPAN))
    sounded: bool = False

    def watch(self, step: int, indicator: float) -> Collapse | None:
        """The indicator of the batch of ``step`` → the alarm, the first time that the course says so."""
        gap = max(1e-9, 1.0 - indicator)
        self.recent.append(math.log(gap))
        if len(self.first) < BEGIN:
            self.first.append(math.log(gap))
            return None
        if self.sounded or len(self.recent) < SPAN:
            return None
        shrunk = math.exp(sum(self.recent) / SPAN - sum(self.first) / BEGIN)
        half = SPAN // 2
        values = list(self.recent)
        falling = sum(values[half:]) / half < sum(values[:half]) / half
        if shrunk >= SHRUNK or not falling:
            return None
        self.sounded = True
        cause, remedy = self._why()
        return Collapse(step, 1.0 - math.exp(sum(self.recent) / SPAN), shrunk, cause, remedy)

    def inspect(self, step: int, indicator: float, rank_online: float) -> Collapse | None:
        """At an evaluation: online states that all lie along one line or two are a collapse, too."""
        if self.sounded or rank_online >= DEGENERATE:
            return None
        self.sounded = True
        return Collapse(
            step,
            indicator,
            1.0,
            f"the online states have an effective rank of {rank_online:.2f}",
            "Raise variance_weight (0.1 keeps every number of the state alive), or set sigreg_weight = 0.05.",
        )

    def _why(self) -> tuple[str, str]:
        training = self.training
        if training.target == "none":
            return (
                "without a target network nothing holds the states apart",
                f"Raise sigreg_weight (now {training.sigreg_weight:g}; 0.05 is usual), or set target = 'ema'.",
            )
        return (
            f"the target encoder follows the online one too fast (decay = {training.decay:g}) and hardly tells a "
            f"version from the next",
            "Set decay = 1.0 (frozen, and fastest) or 0.99999 (near-static).",
        )

    def state(self) -> dict[str, list[float] | bool]:
        """For a checkpoint."""
        return {"first": list(self.first), "recent": list(self.recent), "sounded": self.sounded}

    def restore(self, state: dict[str, list[float] | bool]) -> None:
        """From a checkpoint."""
        first, recent = state["first"], state["recent"]
        assert isinstance(first, list)
        assert isinstance(recent, list)
        self.first, self.sounded = list(first), bool(state["sounded"])
        self.recent = deque(recent, maxlen=SPAN)
