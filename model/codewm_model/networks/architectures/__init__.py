"""State encoders and transition predictors that a configuration can choose by name.

``base`` says what each must be, ``registry`` finds them; every other module is one architecture.
"""

from codewm_model.networks.architectures.base import StateEncoder, SummingEncoder, TransitionPredictor
from codewm_model.networks.architectures.registry import (
    Architecture,
    find,
    known,
    make_encoder,
    make_predictor,
    settings_of,
)

__all__ = [
    "Architecture",
    "StateEncoder",
    "SummingEncoder",
    "TransitionPredictor",
    "find",
    "known",
    "make_encoder",
    "make_predictor",
    "settings_of",
]
