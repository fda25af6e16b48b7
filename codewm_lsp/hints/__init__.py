"""History and document → hints: similar past edits, and what is edited next. Knows no type of the editor's protocol."""

from codewm_lsp.hints.answers import Hint, HintKind, Prediction, SimilarEdit
from codewm_lsp.hints.engine import Engine, HintOptions
from codewm_lsp.hints.wording import age

__all__ = [
    "Engine",
    "Hint",
    "HintKind",
    "HintOptions",
    "Prediction",
    "SimilarEdit",
    "age",
]
