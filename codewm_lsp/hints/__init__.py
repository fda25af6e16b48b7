"""History and document → hints: similar past edits, and what is edited next. Knows no type of the editor's protocol."""

from codewm_lsp.hints.answers import Hint, HintKind, Prediction, SimilarEdit
from codewm_lsp.hints.engine import Engine, HintOptions, Hints
from codewm_lsp.hints.snapshot import Change, Snapshot, Workspace
from codewm_lsp.hints.wording import age

__all__ = [
    "Change",
    "Engine",
    "Hint",
    "HintKind",
    "HintOptions",
    "Hints",
    "Prediction",
    "SimilarEdit",
    "Snapshot",
    "Workspace",
    "age",
]
