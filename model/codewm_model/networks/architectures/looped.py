"""The paper's architecture: one transformer block in a loop, two blocks in loops for the transition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codewm_model.networks.architectures.base import SummingEncoder, TransitionPredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import ActionEncoder, Block, Linear, attention_bias, sinusoids
from codewm_model.networks.packed import PackedTexts
from codewm_model.settings.config import ArchitectureConfig


class LoopedEncoder(SummingEncoder):
    """One block, ``loops`` times over the tokens: depth without parameters."""

    def build(self, config: ArchitectureConfig) -> None:
        self.loops = config.loops
        self.block = Block(self.width, config.heads, config.state_expansion)

    def contextual(self, embedded: Tensor, mask: Tensor) -> Tensor:
        bias = attention_bias(mask)
        x = embedded + 0.3 * sinusoids(torch.arange(embedded.shape[1], device=embedded.device), self.width)
        for _ in range(self.loops):
            x = self.block(x, bias)
        return x

    def packed(self, texts: PackedTexts) -> Tensor:
        embedded = self.token(texts.ids) + self.depth(texts.depths)  # (N, D)
        places = texts.places()
        x = embedded + 0.3 * sinusoids(texts.positions, self.width)
        for _ in range(self.loops):
            x = self.block.packed(x, places)
        read = self.norm(x) + embedded
        gate = torch.sigmoid(self.gate.of_rows(read))
        state: Tensor = places.summed(gate * read) @ self.value.used() + places.summed(gate) * self.value.bias
        return state / 8


class LoopedPredictor(TransitionPredictor):
    """The two-token sequence of state and action through two looped blocks, added to the state."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        width = config.state_size
        self.loops = config.predictor_loops
        self.action = ActionEncoder(config)
        self.blocks = nn.ModuleList(Block(width, config.heads, config.predictor_expansion) for _ in range(2))
        self.norm_in = nn.LayerNorm(width)
        self.norm_out = nn.LayerNorm(width)
        self.out = Linear(width, width, gain=0.5)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        x = torch.stack([self.norm_in(state), self.action(action)], 1)  # (B, 2, D)
        for block in self.blocks:
            for _ in range(self.loops):
                x = block(x, None)
        out: Tensor = self.out(self.norm_out(x[:, 0]))
        return state + out


ARCHITECTURE = Architecture("one block in a loop (paper 1)", encoder=LoopedEncoder, predictor=LoopedPredictor)
