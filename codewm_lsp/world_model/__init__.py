"""The ONNX bundle → embeddings of states and edits, and predictions of what comes next."""

from codewm_lsp.world_model.actions import RICH_ACTION, RICH_ACTION_SIZE, rich_action
from codewm_lsp.world_model.bundle import Bundle, read_bundle, shipped
from codewm_lsp.world_model.embedding import EDIT_SIZE, STATE_SIZE
from codewm_lsp.world_model.model import Predicted, WorldModel

__all__ = [
    "EDIT_SIZE",
    "RICH_ACTION",
    "RICH_ACTION_SIZE",
    "STATE_SIZE",
    "Bundle",
    "Predicted",
    "WorldModel",
    "read_bundle",
    "rich_action",
    "shipped",
]
