"""The plainest architecture: every token for itself, and one hidden layer for the transition."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_model.networks.architectures.base import SummingEncoder, TransitionPredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import Linear
from codewm_model.settings.config import ArchitectureConfig


class MlpEncoder(SummingEncoder):
    """No token knows of another: a learned bag of tokens and depths, the baseline for whatever has context."""

    def build(self, config: ArchitectureConfig) -> None:
        self.norm_mlp = nn.LayerNorm(self.width)
        self.up = Linear(self.width, config.state_expansion * self.width)
        self.down = Linear(config.state_expansion * self.width, self.width, gain=0.5)

    def contextual(self, embedded: Tensor, mask: Tensor) -> Tensor:
        out: Tensor = embedded + self.down(F.gelu(self.up(self.norm_mlp(embedded)), approximate="tanh"))
        return out


class MlpPredictor(TransitionPredictor):
    """State and action side by side through one hidden layer, added to the state."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        width = config.state_size
        hidden = config.predictor_expansion * width
        self.norm = nn.LayerNorm(width)
        self.up = Linear(width + RICH_ACTION_SIZE, hidden)
        self.down = Linear(hidden, width, gain=0.5)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        hidden = F.gelu(self.up(torch.cat([self.norm(state), action], -1)), approximate="tanh")
        out: Tensor = state + self.down(hidden)
        return out


ARCHITECTURE = Architecture("no context; one hidden layer", encoder=MlpEncoder, predictor=MlpPredictor)
