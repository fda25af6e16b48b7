"""The networks: state encoder, action encoder, transition predictor, edit encoder, next-edit predictor.

Weights are (in, out) and used as ``x @ W``, so that the export turns every one of them into an int4 matrix product.
Shapes in trailing comments: B batch, T tokens or words, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codewm_lsp.source import VOCABULARY, Role
from codewm_lsp.source.tokens import MAX_DEPTH
from codewm_lsp.source.vocabulary import PAD
from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_lsp.world_model.embedding import RELATIONS
from codewm_lsp.world_model.features import FIXED_NUMBERS, IDENTITIES, LEVELS, NUMBERS
from codewm_model.config import ArchitectureConfig
from codewm_model.quantisation import Rounding


class Linear(nn.Module):
    """``x @ W + b`` with W of shape (in, out), rounded to int4 in the forward pass when ``rounded`` is set."""

    rounded = False

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * gain / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.rounding = Rounding()

    def forward(self, x: Tensor) -> Tensor:
        weight = self.rounding(self.weight) if self.rounded else self.weight
        return x @ weight + self.bias


class Embedding(nn.Module):
    """A table (count, size), rounded like ``Linear``, in blocks along each row."""

    rounded = False

    def __init__(self, count: int, size: int, *, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, size) * scale)
        self.rounding = Rounding(along_rows=True)

    def forward(self, index: Tensor) -> Tensor:
        weight = self.rounding(self.weight) if self.rounded else self.weight
        return F.embedding(index, weight)


class Block(nn.Module):
    """A pre-norm transformer block (paper 1): attention over the tokens that ``mask`` keeps, then an MLP."""

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width, gain=0.5)
        self.norm_mlp = nn.LayerNorm(width)
        self.up = Linear(width, expansion * width)
        self.down = Linear(expansion * width, width, gain=0.5)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        batch, tokens, width = x.shape  # (B, T, D)
        head = width // self.heads
        q, k, v = self.qkv(self.norm_attention(x)).reshape(batch, tokens, 3, self.heads, head).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(head)  # (B, H, T, T)
        if bias is not None:
            scores = scores + bias
        mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.out(mixed)
        out: Tensor = x + self.down(F.gelu(self.up(self.norm_mlp(x)), approximate="tanh"))
        return out


def attention_bias(mask: Tensor) -> Tensor:
    """(B, T) booleans → (B, 1, 1, T) added to the scores: 0 where kept, very low elsewhere."""
    return ((~mask).float() * -1e4)[:, None, None, :]


def sinusoids(tokens: Tensor, width: int) -> Tensor:
    """Positions computed, not stored: (T,) positions → (T, width)."""
    frequency = torch.exp(torch.arange(0, width, 2, device=tokens.device) * (-math.log(10_000.0) / width))
    angle = tokens[:, None].float() * frequency[None]
    return torch.cat([torch.sin(angle), torch.cos(angle)], 1)


class StateEncoder(nn.Module):
    """A definition's tree → its state: one block looped over the tokens, read out as a gated *sum*.

    The sum keeps what changed: the difference of two states is the sum over the tokens that differ, in context. The
    reference's attention pooling and LayerNorm throw that away (MODEL.md, its mistakes 7 and 11).
    """

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        self.loops = config.loops
        self.width = config.state_size
        self.token = Embedding(len(VOCABULARY), self.width, scale=0.5)
        self.depth = Embedding(MAX_DEPTH + 1, self.width, scale=0.1)
        self.block = Block(self.width, config.heads, config.state_expansion)
        self.norm = nn.LayerNorm(self.width)
        self.gate = Linear(self.width, 1)
        self.value = Linear(self.width, self.width)

    def forward(self, ids: Tensor, depths: Tensor) -> Tensor:
        """(B, T) ids and depths, padded with ``PAD`` → (B, state_size)."""
        mask = ids != PAD
        bias = attention_bias(mask)
        embedded = self.token(ids) + self.depth(depths)  # (B, T, D)
        x = embedded + 0.3 * sinusoids(torch.arange(ids.shape[1], device=ids.device), self.width)
        for _ in range(self.loops):
            x = self.block(x, bias)
        read = self.norm(x) + embedded  # what the token is, and what it is here
        gate = torch.sigmoid(self.gate(read)) * mask[..., None]
        state: Tensor = (gate * self.value(read)).sum(1) / 8
        return state


class ActionEncoder(nn.Module):
    """The rich action (15 numbers) → (B, state_size)."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__()
        self.up = Linear(RICH_ACTION_SIZE, config.state_size)
        self.down = Linear(config.state_size, config.state_size)

    def forward(self, action: Tensor) -> Tensor:
        hidden: Tensor = self.down(F.gelu(self.up(action), approximate="tanh"))
        return hidden


class TransitionPredictor(nn.Module):
    """State and action → next state: the two-token sequence through two looped blocks, added to the state."""

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
        """(B, state_size), (B, 15) → (B, state_size)."""
        x = torch.stack([self.norm_in(state), self.action(action)], 1)  # (B, 2, D)
        for block in self.blocks:
            for _ in range(self.loops):
                x = block(x, None)
        out: Tensor = self.out(self.norm_out(x[:, 0]))
        return state + out


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
        self.role = Embedding(len(Role), width, scale=0.1)
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
        self.state = StateEncoder(config)
        self.transition = TransitionPredictor(config)
        self.edit = EditEncoder(config)
        self.next = NextEditPredictor(config)


def set_rounding(module: nn.Module, on: bool) -> None:
    """Turn int4 rounding in the forward pass on or off everywhere below ``module``."""

    def switch(part: nn.Module) -> None:
        if isinstance(part, Linear | Embedding):
            part.rounded = on

    module.apply(switch)


def parameters(module: nn.Module) -> int:
    """How many numbers a module has."""
    return sum(p.numel() for p in module.parameters())
