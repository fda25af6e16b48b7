"""All networks of a bundle; here the edit encoder and the next-edit predictor.

State encoders and transition predictors can be chosen: they are in ``codewm_model.networks.architectures``. Shapes in
trailing comments: B batch, T words, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codewm_lsp.source import LeafRole
from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_lsp.world_model.embedding import RELATIONS
from codewm_lsp.world_model.features import FIXED_NUMBERS, IDENTITIES, LEVELS, NUMBERS
from codewm_model.networks.architectures import StateEncoder, TransitionPredictor, make_encoder, make_predictor
from codewm_model.networks.layers import Block, Embedding, Linear, attention_bias, parameters, set_rounding
from codewm_model.settings.config import ArchitectureConfig

__all__ = [
    "CodeWorldModel",
    "EditEncoder",
    "NextEditPredictor",
    "StateEncoder",
    "TransitionPredictor",
    "parameters",
    "set_rounding",
]


class EditEncoder(nn.Module):
    """The words of an edit and its two states → gates for the words, a contextual vector, and weights of the parts.

    The gates are the learned idf: with them the hashed directions of the words are summed into the lexical parts of the
    edit's embedding (see ``codewm_lsp.world_model.embedding``).
    """

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        width = config.word_size
        self.identity = Embedding(IDENTITIES + 1, width, scale=0.1)
        self.level = Embedding(LEVELS, width, scale=0.1)
        self.role = Embedding(len(LeafRole), width, scale=0.1)
        self.numbers = Linear(NUMBERS, width)
        self.mix = Linear(width, width)
        self.action = Linear(RICH_ACTION_SIZE, width)
        self.difference = Linear(config.state_size, width)
        self.place = Linear(config.state_size, width)
        self.norm_difference = nn.LayerNorm(config.state_size)
        self.norm_place = nn.LayerNorm(config.state_size)
        self.layers = nn.ModuleList(Block(width, config.heads, 4) for _ in range(config.word_layers))
        self.norm = nn.LayerNorm(width)
        self.gates = Linear(width, 3)
        self.context_gate = Linear(width, 1)
        self.value = Linear(width, config.contextual_size)
        self.whole = Linear(width, config.contextual_size)
        self.parts = Linear(width, 4, gain=0.1)
        self.register_buffer("fixed_numbers", torch.tensor(FIXED_NUMBERS), persistent=False)
        with torch.no_grad():
            self.parts.bias.copy_(torch.tensor([0.9, 1.1, 0.3, 0.0]))

    fixed_numbers: Tensor

    def words(self, identity: Tensor, level: Tensor, role: Tensor, numbers: Tensor) -> Tensor:
        """What is known of each word alone: (B, T, word_size)."""
        known = self.identity(identity) + self.level(level) + self.role(role) + self.numbers(numbers)
        words: Tensor = known + F.gelu(self.mix(known), approximate="tanh")
        return words

    def state_gate(self, identity: Tensor, level: Tensor, role: Tensor, numbers: Tensor) -> Tensor:
        """How much a word says of the place it stands in, whatever its counts: (B, T), positive."""
        fixed = numbers * self.fixed_numbers
        return F.softplus(self.context_gate(self.words(identity, level, role, fixed)).squeeze(-1))

    def forward(
        self,
        changed: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
        before: Tensor,
        after: Tensor,
        action: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``changed``: identity, level, role (B, T), numbers (B, T, NUMBERS), mask (B, T); states (B, state_size).

        Returns gates of the signed and of the unsigned part (B, T), the contextual vector (B, contextual_size), and the
        weights of the four parts (B, 4): signed, unsigned, context, contextual.
        """
        identity, level, role, numbers, mask = changed
        words = self.words(identity, level, role, numbers)
        extra = torch.stack(
            [
                self.action(action),
                self.difference(self.norm_difference(after - before)),
                self.place(self.norm_place(after + before)),
            ],
            1,
        )
        x = torch.cat([extra, words], 1)  # (B, 3 + T, W)
        keep = torch.cat([torch.ones_like(mask[:, :1]).expand(-1, 3), mask], 1)
        bias = attention_bias(keep)
        for layer in self.layers:
            x = layer(x, bias)
        x = self.norm(x)
        gates = F.softplus(self.gates(x[:, 3:])) * mask[..., None]  # (B, T, 3)
        contextual = (gates[..., 2:] * self.value(x[:, 3:])).sum(1) / (gates[..., 2].sum(1, keepdim=True) + 1e-3)
        contextual = contextual + self.whole(x[:, 0] + x[:, 1])
        parts = F.softplus(self.parts(x[:, 0]))
        return gates[..., 0], gates[..., 1], contextual, parts


class NextEditPredictor(nn.Module):
    """A definition's state and the recent edits → the embedding of the edit that comes next on it, and how likely.

    The lexical parts of a predicted edit are mixtures of those of the recent edits and of the definition's own words:
    the network gives the mixture; the contextual part it predicts itself.
    """

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        width = config.next_size
        self.loops = config.next_loops
        self.state = Linear(config.state_size, width)
        self.norm_state = nn.LayerNorm(config.state_size)
        self.edit = Linear(config.contextual_size, width)
        self.relation = Linear(RELATIONS, width)
        self.block = Block(width, config.heads, 2)
        self.norm = nn.LayerNorm(width)
        self.mixture = Linear(width, 1)
        self.own = Linear(width, 2)
        self.contextual = Linear(width, config.contextual_size)
        self.parts = Linear(width, 4, gain=0.1)
        self.logit = Linear(width, 1)
        self.actions = Linear(width, RICH_ACTION_SIZE)
        with torch.no_grad():
            self.parts.bias.copy_(torch.tensor([0.9, 1.1, 0.3, 0.0]))

    def forward(
        self, state: Tensor, recent: Tensor, relations: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """state (B, state_size); recent (B, R, contextual_size), relations (B, R, RELATIONS), mask (B, R).

        Returns the mixture over recent edits (B, R), the share of the definition's own words in the unsigned and
        in the context part (B, 2) in 0..1, the contextual part (B, contextual_size), part weights (B, 4),
        logits (B,), actions (B, 15).
        """
        here = self.state(self.norm_state(state))[:, None]  # (B, 1, W)
        edits = self.edit(recent) + self.relation(relations)  # (B, R, W)
        x = torch.cat([here, edits], 1)
        keep = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        bias = attention_bias(keep)
        for _ in range(self.loops):
            x = self.block(x, bias)
        x = self.norm(x)
        mixture = torch.softmax(self.mixture(x[:, 1:]).squeeze(-1) + (~mask).float() * -1e4, -1)
        copied = (mixture[..., None] * recent).sum(1)
        first = x[:, 0]
        return (
            mixture,
            torch.sigmoid(self.own(first)),
            copied + self.contextual(first),
            F.softplus(self.parts(first)),
            self.logit(first).squeeze(-1),
            self.actions(first),
        )


class CodeWorldModel(nn.Module):
    """All networks of a bundle."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        self.config = config
        self.state = make_encoder(config)
        self.transition = make_predictor(config)
        self.edit = EditEncoder(config)
        self.next = NextEditPredictor(config)
