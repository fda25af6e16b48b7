"""Int4 rounding in the forward pass, the same that the export writes: what is trained is what is shipped."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

BLOCK: Final = 64


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a (in, out) matrix to int4 in blocks of ``BLOCK`` inputs.

    Returns codes 0..15 (zero is 8) of shape (blocks, BLOCK, out), the last block filled up with zeros, and scales
    (blocks, out) as float16 holds them. Of a few candidate scales each block takes the one with the least square error.
    """
    rows, columns = weight.shape
    blocks = -(-rows // BLOCK)
    padded = weight.new_zeros(blocks * BLOCK, columns)
    padded[:rows] = weight
    grouped = padded.reshape(blocks, BLOCK, columns)
    # the largest value in size, with its sign, goes to code 0 (-8): symmetric blocks use all sixteen codes
    index = grouped.abs().argmax(1, keepdim=True)
    extreme = grouped.gather(1, index).squeeze(1)
    best_error: Tensor | None = None
    best_scale = extreme / -8
    for factor in (1.0, 0.9, 0.8, 0.7):
        scale = _half(extreme / -8 * factor)
        safe = torch.where(scale == 0, torch.ones_like(scale), scale)
        codes = torch.clamp(torch.round(grouped / safe[:, None]), -8, 7)
        error = ((codes * scale[:, None] - grouped) ** 2).sum(1)
        if best_error is None:
            best_error, best_scale = error, scale
        else:
            better = error < best_error
            best_error = torch.where(better, error, best_error)
            best_scale = torch.where(better, scale, best_scale)
    safe = torch.where(best_scale == 0, torch.ones_like(best_scale), best_scale)
    codes = torch.clamp(torch.round(grouped / safe[:, None]), -8, 7) + 8
    return codes.to(torch.uint8), best_scale


def dequantise(codes: Tensor, scales: Tensor, rows: int) -> Tensor:
    """Inverse of ``quantise`` up to rounding: (rows, out)."""
    return ((codes.float() - 8) * scales[:, None]).reshape(-1, scales.shape[1])[:rows]


def is_rounded(shape: tuple[int, ...]) -> bool:
    """Whether a matrix of this shape is stored in int4; the few smaller ones stay as they are."""
    return len(shape) == 2 and min(shape) >= 16


class Rounding:
    """The weight as int4 holds it, gradients passed straight through; worked out once for each state of the weight."""

    def __init__(self, *, along_rows: bool = False) -> None:
        self._along_rows = along_rows
        self._version = -1
        self._error: Tensor | None = None

    def __call__(self, weight: Tensor) -> Tensor:
        """(in, out) → the same, rounded."""
        if not is_rounded(tuple(weight.shape)):
            return weight
        if self._error is None or self._version != weight._version or self._error.device != weight.device:
            with torch.no_grad():
                matrix = weight.T if self._along_rows else weight
                codes, scales = quantise(matrix.float())
                rounded = dequantise(codes, scales, matrix.shape[0])
                self._error = (rounded.T if self._along_rows else rounded) - weight
            self._version = weight._version
        return weight + self._error


def _half(values: Tensor) -> Tensor:
    return values.to(torch.float16).float()
