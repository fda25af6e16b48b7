"""Koopman's view: in the right coordinates, which the state encoder learns, an edit is a linear operator."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_model.networks.architectures.base import TransitionPredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import Linear
from codewm_model.settings.config import ArchitectureConfig


class KoopmanPredictor(TransitionPredictor):
    """``next = K(a) state + b(a)``, affine in the state whatever the action.

    ``K(a) = I + U diag(c(a)) V``: the identity and a departure from it of rank ``operator_rank``, of which the action
    scales every direction. At the start c is near nought, so that an edit changes nothing.
    """

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        width, rank = config.state_size, config.operator_rank
        self.read = Linear(width, rank)
        self.write = Linear(rank, width)
        self.up = Linear(RICH_ACTION_SIZE, width)
        self.scale = Linear(width, rank, gain=0.1)
        self.shift = Linear(width, width, gain=0.5)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        known = F.gelu(self.up(action), approximate="tanh")  # (B, D)
        moved = self.write(self.scale(known) * self.read(state))  # (B, D), affine in the state
        out: Tensor = state + moved + self.shift(known)
        return out


ARCHITECTURE = Architecture("a linear operator on the state, chosen by the action", predictor=KoopmanPredictor)
