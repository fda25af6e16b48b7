"""What a state encoder and a transition predictor have to be, and the parts that most of them share."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from codewm_lsp.source import VOCABULARY
from codewm_lsp.source.tokens import MAX_DEPTH
from codewm_lsp.source.vocabulary import PAD
from codewm_model.networks.layers import Embedding, Linear
from codewm_model.networks.packed import PackedTexts
from codewm_model.settings.config import ArchitectureConfig


class StateEncoder(nn.Module):
    """A definition's tree → its state."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        self.width = config.state_size

    @abstractmethod
    def forward(self, ids: Tensor, depths: Tensor) -> Tensor:
        """(B, T) token ids and depths, padded with ``PAD`` → (B, state_size)."""

    def packed(self, texts: PackedTexts) -> Tensor:
        """The same without padding; an encoder that does not know how to do that gets it padded."""
        state: Tensor = self(*texts.padded())
        return state


class TransitionPredictor(nn.Module):
    """A state and an action → the next state."""

    @abstractmethod
    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """(B, state_size), (B, 15) → (B, state_size)."""


class SummingEncoder(StateEncoder):
    """A state encoder that is read out as a gated *sum*; what it does with the tokens before is its subclass's.

    The sum keeps what changed: the difference of two states is the sum over the tokens that differ, in context. The
    reference's attention pooling and LayerNorm throw that away.
    """

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__(config)
        self.token = Embedding(len(VOCABULARY), self.width, scale=0.5)
        self.depth = Embedding(MAX_DEPTH + 1, self.width, scale=0.1)
        self.build(config)
        self.norm = nn.LayerNorm(self.width)
        self.gate = Linear(self.width, 1)
        self.value = Linear(self.width, self.width)

    @abstractmethod
    def build(self, config: ArchitectureConfig) -> None:
        """Make the layers."""

    @abstractmethod
    def contextual(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Tokens alone (B, T, D), and which of them there are (B, T) → tokens in context (B, T, D)."""

    def forward(self, ids: Tensor, depths: Tensor) -> Tensor:
        mask = ids != PAD
        embedded = self.token(ids) + self.depth(depths)  # (B, T, D)
        read = self.norm(self.contextual(embedded, mask)) + embedded  # what the token is, and what it is here
        gate = torch.sigmoid(self.gate(read)) * mask[..., None]
        state: Tensor = (gate * self.value(read)).sum(1) / 8
        return state
