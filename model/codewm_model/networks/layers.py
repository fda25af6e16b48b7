"""What the networks are built of: matrices that int4 can hold, a transformer block, positions.

Weights are (in, out) and used as ``x @ W``, so that the export turns every one of them into an int4 matrix product.
Shapes in trailing comments: B batch, T tokens or words, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_model.networks.packed import Places, gelu
from codewm_model.networks.quantisation import Rounding
from codewm_model.settings.config import ArchitectureConfig


class Linear(nn.Module):
    """``x @ W + b`` with W of shape (in, out), rounded to int4 in the forward pass when ``rounded`` is set."""

    rounded = False

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * gain / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.rounding = Rounding()

    def used(self) -> Tensor:
        """The weight as the forward pass uses it."""
        return self.rounding(self.weight) if self.rounded else self.weight

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.used() + self.bias

    def of_rows(self, rows: Tensor) -> Tensor:
        """The same of (N, in), in one operation."""
        return torch.addmm(self.bias, rows, self.used())


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

    def packed(self, x: Tensor, places: Places) -> Tensor:
        """The same over the tokens of several texts without padding: (N, D) → (N, D)."""
        x = x + self.out.of_rows(places.attention(self.qkv.of_rows(self.norm_attention(x)), self.heads))
        return x + self.down.of_rows(gelu(self.up.of_rows(self.norm_mlp(x))))


def attention_bias(mask: Tensor) -> Tensor:
    """(B, T) booleans → (B, 1, 1, T) added to the scores: 0 where kept, very low elsewhere."""
    return ((~mask).float() * -1e4)[:, None, None, :]


def sinusoids(tokens: Tensor, width: int) -> Tensor:
    """Positions computed, not stored: (T,) positions → (T, width)."""
    frequency = torch.exp(torch.arange(0, width, 2, device=tokens.device) * (-math.log(10_000.0) / width))
    angle = tokens[:, None].float() * frequency[None]
    return torch.cat([torch.sin(angle), torch.cos(angle)], 1)


class ActionEncoder(nn.Module):
    """The rich action (15 numbers), or the first numbers of it → (B, state_size)."""

    def __init__(self, config: ArchitectureConfig, numbers: int = RICH_ACTION_SIZE) -> None:
        super().__init__()
        self.up = Linear(numbers, config.state_size)
        self.down = Linear(config.state_size, config.state_size)

    def forward(self, action: Tensor) -> Tensor:
        hidden: Tensor = self.down(F.gelu(self.up(action), approximate="tanh"))
        return hidden


def set_rounding(module: nn.Module, on: bool) -> None:
    """Turn int4 rounding in the forward pass on or off everywhere below ``module``."""

    def switch(part: nn.Module) -> None:
        if isinstance(part, Linear | Embedding):
            part.rounded = on

    module.apply(switch)


def parameters(module: nn.Module) -> int:
    """How many numbers a module has."""
    return sum(p.numel() for p in module.parameters())
