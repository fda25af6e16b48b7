"""History and document → hints: similar past edits, and what is edited next. Knows no type of the editor's protocol."""

from typing import TYPE_CHECKING

from codewm_lsp.lazily import names_of_package

if TYPE_CHECKING:
    from codewm_lsp.hints.answers import Hint, HintKind, Prediction, SimilarEdit
    from codewm_lsp.hints.engine import Engine, HintOptions, Hints
    from codewm_lsp.hints.snapshot import Change, Snapshot, Workspace
    from codewm_lsp.hints.stand_in import LISTED, LOOK_BACK, StandIn, differs_without_edits, stand_in_of
    from codewm_lsp.hints.wording import after_commit, nothing_after_commit, stand_in_words, waiting

__all__ = [
    "LISTED",
    "LOOK_BACK",
    "Change",
    "Engine",
    "Hint",
    "HintKind",
    "HintOptions",
    "Hints",
    "Prediction",
    "SimilarEdit",
    "Snapshot",
    "StandIn",
    "Workspace",
    "after_commit",
    "differs_without_edits",
    "nothing_after_commit",
    "stand_in_of",
    "stand_in_words",
    "waiting",
]

__getattr__ = names_of_package(
    __name__,
    {
        "answers": ("Hint", "HintKind", "Prediction", "SimilarEdit"),
        "engine": ("Engine", "HintOptions", "Hints"),
        "snapshot": ("Change", "Snapshot", "Workspace"),
        "stand_in": ("LISTED", "LOOK_BACK", "StandIn", "differs_without_edits", "stand_in_of"),
        "wording": ("after_commit", "nothing_after_commit", "stand_in_words", "waiting"),
    },
)
