"""Paper 1's state encoder and predictor as they are, to rerun its study with: not what is shipped.

Attention pooling with one learned query and a LayerNorm, where the shipped encoder sums; a next state that is predicted
from nothing, where the shipped predictor adds to the state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codewm_lsp.source import VOCABULARY
from codewm_lsp.source.tokens import MAX_DEPTH
from codewm_lsp.source.vocabulary import PAD
from codewm_model.networks.architectures.base import StateEncoder, TransitionPredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import ActionEncoder, Block, Embedding, Linear, attention_bias, sinusoids
from codewm_model.networks.packed import PackedTexts, Places
from codewm_model.settings.config import ArchitectureConfig


class ReferenceEncoder(StateEncoder):
    """Tokens and CLS, one looped block, attention pooling, LayerNorm (paper 1)."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__(config)
        self.loops = config.loops
        self.token = Embedding(len(VOCABULARY), self.width, scale=1.0)
        self.depth = Embedding(MAX_DEPTH + 1, self.width, scale=0.5)
        self.cls = nn.Parameter(torch.randn(self.width) * 0.5)
        self.block = Block(self.width, config.heads, config.state_expansion)
        self.query = nn.Parameter(torch.randn(self.width) / self.width**0.5)
        self.key = Linear(self.width, self.width)
        self.value = Linear(self.width, self.width)
        self.norm = self.readout(config)

    def readout(self, config: ArchitectureConfig) -> nn.Module:
        """What the pooled tokens go through last."""
        return nn.LayerNorm(config.state_size)

    def forward(self, ids: Tensor, depths: Tensor) -> Tensor:
        mask = ids != PAD
        x = self.token(ids) + self.depth(depths)
        x = x + sinusoids(torch.arange(ids.shape[1], device=ids.device), self.width)
        x = torch.cat([torch.zeros_like(x[:, :1]) + self.cls, x], 1)  # (B, 1 + T, D)
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        bias = attention_bias(mask)
        for _ in range(self.loops):
            x = self.block(x, bias)
        scores = self.key(x) @ self.query + (~mask).float() * -1e4  # (B, 1 + T)
        pooled = (torch.softmax(scores, 1)[..., None] * self.value(x)).sum(1)
        state: Tensor = self.norm(pooled)
        return state

    def packed(self, texts: PackedTexts) -> Tensor:
        return self.read(*self.looped(texts)[-1])

    def every_loop(self, texts: PackedTexts) -> Tensor:
        """The states that each loop would give, were it the last: (B, loops, state_size)."""
        return torch.stack([self.read(x, places) for x, places in self.looped(texts)], 1)

    def looped(self, texts: PackedTexts) -> list[tuple[Tensor, Places]]:
        """All tokens and a CLS for every text (N + B, D) after each loop."""
        x = self.token(texts.ids) + self.depth(texts.depths) + sinusoids(texts.positions, self.width)
        x = torch.cat([x, self.cls.expand(texts.texts, -1)])  # (N + B, D)
        places = texts.with_one_more()
        found = []
        for _ in range(self.loops):
            x = self.block.packed(x, places)
            found.append((x, places))
        return found

    def read(self, x: Tensor, places: Places) -> Tensor:
        """Attention pooling over the tokens of each text, and the readout."""
        scores = x @ (self.key.used() @ self.query)  # what the key's bias adds is the same for all of a text
        state: Tensor = self.norm(self.value.of_rows(places.weighted(scores, x)))
        return state


class ReferencePredictor(TransitionPredictor):
    """The first of the two tokens after two looped blocks, and a LayerNorm (paper 1)."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        self.loops = config.predictor_loops
        self.action = ActionEncoder(config)
        self.blocks = nn.ModuleList(
            Block(config.state_size, config.heads, config.predictor_expansion) for _ in range(2)
        )
        self.norm = self.readout(config)

    def readout(self, config: ArchitectureConfig) -> nn.Module:
        """What the first token goes through last."""
        return nn.LayerNorm(config.state_size)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        x = torch.stack([state, self.action(action)], 1)  # (B, 2, D)
        for block in self.blocks:
            for _ in range(self.loops):
                x = block(x, None)
        out: Tensor = self.norm(x[:, 0])
        return out


ARCHITECTURE = Architecture(
    "paper 1's own readout and predictor, to rerun its study with",
    encoder=ReferenceEncoder,
    predictor=ReferencePredictor,
)
