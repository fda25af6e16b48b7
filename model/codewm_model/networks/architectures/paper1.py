"""Paper 1's networks as they are, with an action of seven numbers; paper 2's take all fifteen."""

from __future__ import annotations

from typing import Final

from torch import Tensor

from codewm_model.networks.architectures.paper_networks import ReferenceEncoder, ReferencePredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import ActionEncoder
from codewm_model.settings.config import ArchitectureConfig

NUMBERS: Final = 7
"""Of the rich action, which begins with paper 1's."""


class CoarsePredictor(ReferencePredictor):
    """The predictor of paper 1, which is told the type of an edit, its scope and where it begins."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__(config)
        self.action = ActionEncoder(config, NUMBERS)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        return super().forward(state, action[:, :NUMBERS])


ARCHITECTURE = Architecture("paper 1's, with its action of seven numbers", ReferenceEncoder, CoarsePredictor)
