"""Paper 1's networks with the readout of LeWorldModel (Maes et al., 2026, arXiv 2603.19312): a projection, and no norm.

A LayerNorm holds every state at one length, which SIGReg, that wants a Gaussian, would work against. LeWorldModel
normalises its projection over the batch; here a batch is encoded in pieces of similar length, so it is not.
"""

from __future__ import annotations

from codewm_model.networks.architectures.paper_networks import ReferenceEncoder, ReferencePredictor
from codewm_model.networks.architectures.registry import Architecture
from codewm_model.networks.layers import Linear
from codewm_model.settings.config import ArchitectureConfig


class ProjectedEncoder(ReferenceEncoder):
    """Tokens and CLS, one looped block, attention pooling, a projection."""

    def readout(self, config: ArchitectureConfig) -> Linear:
        return Linear(config.state_size, config.state_size)


class ProjectedPredictor(ReferencePredictor):
    """The first of the two tokens after two looped blocks, and a projection."""

    def readout(self, config: ArchitectureConfig) -> Linear:
        return Linear(config.state_size, config.state_size)


ARCHITECTURE = Architecture(
    "paper 1's networks with a projection for a readout, for training without a target network (LeWorldModel)",
    encoder=ProjectedEncoder,
    predictor=ProjectedPredictor,
)
