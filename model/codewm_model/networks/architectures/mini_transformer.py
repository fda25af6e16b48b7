"""A small transformer as it is usually built: distinct layers, each used once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codewm_model.networks.architectures.base import SummingEncoder, TransitionPredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import ActionEncoder, Block, Linear, attention_bias, sinusoids
from codewm_model.settings.config import ArchitectureConfig


class MiniTransformerEncoder(SummingEncoder):
    """``layers`` distinct blocks over the tokens: what looping saves in parameters, spent."""

    def build(self, config: ArchitectureConfig) -> None:
        self.blocks = nn.ModuleList(
            Block(self.width, config.heads, config.state_expansion) for _ in range(config.layers)
        )

    def contextual(self, embedded: Tensor, mask: Tensor) -> Tensor:
        bias = attention_bias(mask)
        x = embedded + 0.3 * sinusoids(torch.arange(embedded.shape[1], device=embedded.device), self.width)
        for block in self.blocks:
            x = block(x, bias)
        return x


class MiniTransformerPredictor(TransitionPredictor):
    """The two-token sequence of state and action through ``layers`` distinct blocks, added to the state."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        width = config.state_size
        self.action = ActionEncoder(config)
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.predictor_expansion) for _ in range(config.layers)
        )
        self.norm_in = nn.LayerNorm(width)
        self.norm_out = nn.LayerNorm(width)
        self.out = Linear(width, width, gain=0.5)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        x = torch.stack([self.norm_in(state), self.action(action)], 1)  # (B, 2, D)
        for block in self.blocks:
            x = block(x, None)
        out: Tensor = self.out(self.norm_out(x[:, 0]))
        return state + out


ARCHITECTURE = Architecture("distinct layers", encoder=MiniTransformerEncoder, predictor=MiniTransformerPredictor)
