"""The stages of a training run, in their order."""

from __future__ import annotations

from typing import Final

STAGES: Final = ("transition", "edit", "next", "predictor")
