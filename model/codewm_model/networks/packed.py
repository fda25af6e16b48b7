"""Texts of several lengths side by side without padding: what a training step is computed on.

Everything that is done to each token for itself is done to (N, D), N being all tokens of all texts; only attention,
and a softmax over a text, see a padded shape. Shapes in trailing comments: N tokens, B texts, T places of a text,
D width, H heads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codewm_lsp.source.vocabulary import PAD

_CUBIC = 0.044715
_SLOPE = 2 * math.sqrt(2 / math.pi)


@dataclass(frozen=True, slots=True)
class PackedTexts:
    """The tokens of ``texts`` texts, one text after the other.

    ``ids``, ``depths`` and ``positions`` (in its text) are of every token (N,). ``slots`` (N,) is where it stands in
    the padded shape (texts, width), ``mask`` which of its places are taken.
    """

    ids: Tensor
    depths: Tensor
    positions: Tensor
    slots: Tensor
    mask: Tensor

    @classmethod
    def of(
        cls, ids: Sequence[NDArray[np.integer[Any]]], depths: Sequence[NDArray[np.integer[Any]]], device: torch.device
    ) -> PackedTexts:
        """Pack token ids and depths, a pair of arrays for every text."""
        lengths = np.array([len(own) for own in ids], np.int64)
        width = int(lengths.max())
        positions = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        slots = np.repeat(np.arange(len(lengths)) * width, lengths) + positions
        mask = np.arange(width) < lengths[:, None]

        def on_device(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(values).to(device)

        return cls(
            on_device(np.concatenate(ids).astype(np.int64)),
            on_device(np.concatenate(depths).astype(np.int64)),
            on_device(positions),
            on_device(slots),
            on_device(mask),
        )

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return len(self.mask)

    def padded(self) -> tuple[Tensor, Tensor]:
        """Token ids and depths (B, T), as an encoder that knows nothing of packing takes them."""
        shape = self.mask.shape
        ids = self.ids.new_full((shape.numel(),), PAD).index_copy(0, self.slots, self.ids)
        depths = self.depths.new_zeros(shape.numel()).index_copy(0, self.slots, self.depths)
        return ids.reshape(shape), depths.reshape(shape)

    def with_one_more(self) -> Places:
        """Places of all tokens and, behind them, of one token more for every text: (N + B, D) rows."""
        texts, width = self.mask.shape
        rows = torch.arange(texts, device=self.slots.device)
        slots = torch.cat([self.slots + self.slots // width, rows * (width + 1) + width])
        return Places(slots, torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], 1))

    def places(self) -> Places:
        """Places of all tokens."""
        return Places(self.slots, self.mask)


class Places:
    """Where packed rows stand in a padded shape (B, T)."""

    def __init__(self, slots: Tensor, mask: Tensor) -> None:
        self.slots, self.mask = slots, mask
        self.bias = torch.where(mask, 0.0, -1e4)[:, None, None, :]  # (B, 1, 1, T), added to scores

    def attention(self, qkv: Tensor, heads: int) -> Tensor:
        """Queries, keys and values of all tokens (N, 3 D) → what each token has attended to within its text (N, D)."""
        mixed: Tensor = _Attention.apply(qkv, self, heads)  # type: ignore[no-untyped-call]
        return mixed

    def weighted(self, scores: Tensor, rows: Tensor) -> Tensor:
        """Sum of the rows (N, D) of every text, by the softmax of their scores (N,): (B, D)."""
        padded = self.spread(scores[:, None]).reshape(self.mask.shape) + self.bias[:, 0, 0]
        weights = torch.softmax(padded, 1)[:, None]  # (B, 1, T)
        return torch.bmm(weights, self.spread(rows).reshape(*self.mask.shape, -1)).squeeze(1)

    def summed(self, rows: Tensor) -> Tensor:
        """Sum of the rows (N, D) of every text: (B, D)."""
        return self.spread(rows).reshape(*self.mask.shape, -1).sum(1)

    def spread(self, rows: Tensor) -> Tensor:
        """(N, D) → (B T, D), zeros where no token is."""
        padded: Tensor = _Spread.apply(rows, self.slots, self.mask.numel())  # type: ignore[no-untyped-call]
        return padded


class _Spread(torch.autograd.Function):
    """Rows at their slots. No slot is taken twice, so that the gradient is a plain selection."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slots: Tensor, count: int) -> Tensor:
        ctx.slots = slots
        return rows.new_zeros(count, rows.shape[1]).index_copy_(0, slots, rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0].index_select(0, ctx.slots), None, None


class _Attention(torch.autograd.Function):
    """Softmax attention, with as few copies of queries, keys and values as it takes."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, places: Places, heads: int) -> Tensor:
        texts, tokens = places.mask.shape
        head = qkv.shape[1] // 3 // heads
        padded = qkv.new_zeros(texts * tokens, qkv.shape[1]).index_copy_(0, places.slots, qkv)
        apart = padded.reshape(texts, tokens, 3, heads, head).permute(2, 0, 3, 1, 4).contiguous()
        q, k, v = apart.reshape(3, texts * heads, tokens, head)  # (B H, T, D / H) each
        with torch.autocast(qkv.device.type, enabled=False):  # one type throughout, here and in the backward pass
            scores = torch.bmm(q, k.transpose(1, 2)).mul_(1 / math.sqrt(head))
            scores.reshape(texts, heads, tokens, tokens).add_(places.bias)
            weights = torch.softmax(scores, -1)
            mixed = torch.bmm(weights, v).reshape(texts, heads, tokens, head).transpose(1, 2)
        ctx.save_for_backward(q, k, v, weights)
        ctx.places, ctx.heads = places, heads
        return mixed.reshape(texts * tokens, heads * head).index_select(0, places.slots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        q, k, v, weights = ctx.saved_tensors
        texts, tokens = ctx.places.mask.shape
        head = q.shape[-1]
        rows = gradients[0]
        padded = rows.new_zeros(texts * tokens, rows.shape[1]).index_copy_(0, ctx.places.slots, rows)
        mixed = padded.reshape(texts, tokens, ctx.heads, head).transpose(1, 2).reshape(q.shape)
        apart = q.new_empty(3, *q.shape)
        torch.bmm(weights.transpose(1, 2), mixed, out=apart[2])
        scores = torch.bmm(mixed, v.transpose(1, 2))
        scores = torch._softmax_backward_data(scores, weights, -1, weights.dtype).mul_(1 / math.sqrt(head))
        torch.bmm(scores, k, out=apart[0])
        torch.bmm(scores.transpose(1, 2), q, out=apart[1])
        together = apart.reshape(3, texts, ctx.heads, tokens, head).permute(1, 3, 0, 2, 4)
        return together.reshape(texts * tokens, -1).index_select(0, ctx.places.slots), None, None


class _Gelu(torch.autograd.Function):
    """GELU's tanh form as x · sigmoid(2 u): the same function, and a third of the time on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        gate = (x * x).mul_(_SLOPE * _CUBIC).add_(_SLOPE).mul_(x).sigmoid_()
        ctx.save_for_backward(x, gate)
        return x * gate

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        x, gate = ctx.saved_tensors
        slope = (x * x).mul_(3 * _SLOPE * _CUBIC).add_(_SLOPE).mul_(x)  # x times the derivative of 2 u
        slope.mul_(gate * (1 - gate)).add_(gate)
        gradient: Tensor = slope.mul_(gradients[0])
        return gradient


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form."""
    out: Tensor = _Gelu.apply(x)  # type: ignore[no-untyped-call]
    return out
