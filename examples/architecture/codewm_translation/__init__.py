"""A predictor that moves every state by a vector which depends on the action alone: the least a transition can be."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_model.networks.architectures import Architecture, TransitionPredictor
from codewm_model.networks.layers import Linear
from codewm_model.settings.config import ArchitectureConfig


class TranslationPredictor(TransitionPredictor):
    """``next = state + b(action)``; ``architecture.options.hidden`` is the width of b, 64 by default."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        hidden = config.options.get("hidden", 64)
        if not isinstance(hidden, int) or hidden < 1:
            raise ValueError(f"architecture.options.hidden must be a whole number from 1 on, not {hidden!r}")
        self.up = Linear(RICH_ACTION_SIZE, hidden)
        self.down = Linear(hidden, config.state_size, gain=0.5)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        moved: Tensor = self.down(F.gelu(self.up(action), approximate="tanh"))
        return state + moved


ARCHITECTURE = Architecture("moves every state alike, by the action", predictor=TranslationPredictor)
