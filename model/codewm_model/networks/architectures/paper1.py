"""Paper 1's networks as they are: tokens level by level, and an action of seven numbers; paper 2's take all fifteen."""

from __future__ import annotations

import dataclasses
from typing import Final

import torch
from torch import Tensor

from codewm_lsp.source.tokens import MAX_DEPTH
from codewm_lsp.source.vocabulary import PAD
from codewm_model.networks.architectures.paper_networks import ReferenceEncoder, ReferencePredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import ActionEncoder
from codewm_model.networks.packed import PackedTexts, Places
from codewm_model.settings.config import ArchitectureConfig

NUMBERS: Final = 7
"""Of the rich action, which begins with paper 1's."""


class BreadthFirstEncoder(ReferenceEncoder):
    """The encoder of paper 1, which reads a tree level by level.

    Tokens come in the order of the text: sorted by their depth alone, those of a level stay in that order.
    """

    def forward(self, ids: Tensor, depths: Tensor) -> Tensor:
        last = torch.where(ids == PAD, MAX_DEPTH + 1, depths)
        width = ids.shape[1]
        order = (last * width + torch.arange(width, device=ids.device)).argsort(1)
        return super().forward(ids.gather(1, order), depths.gather(1, order))

    def looped(self, texts: PackedTexts) -> list[tuple[Tensor, Places]]:
        width = texts.mask.shape[1]
        text = texts.slots // width
        order = ((text * (MAX_DEPTH + 1) + texts.depths) * width + texts.positions).argsort()
        return super().looped(dataclasses.replace(texts, ids=texts.ids[order], depths=texts.depths[order]))


class CoarsePredictor(ReferencePredictor):
    """The predictor of paper 1, which is told the type of an edit, its scope and where it begins."""

    def __init__(self, config: ArchitectureConfig) -> None:
        super().__init__(config)
        self.action = ActionEncoder(config, NUMBERS)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        return super().forward(state, action[:, :NUMBERS])


ARCHITECTURE = Architecture(
    "paper 1's, level by level, with its action of seven numbers", BreadthFirstEncoder, CoarsePredictor
)
