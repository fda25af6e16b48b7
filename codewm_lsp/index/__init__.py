"""Edits and their vectors on disk (SQLite), and exact search over them: by meaning, by words, by place."""

from codewm_lsp.index.blend import LEXICAL, Blend, Scores
from codewm_lsp.index.dismissals import Dismissal, Dismissals, Scope
from codewm_lsp.index.edit_log import EditLog
from codewm_lsp.index.edit_words import changed_words, place_words
from codewm_lsp.index.index import Hit, Index, PredictedPlace
from codewm_lsp.index.reading import PastEdit, Source
from codewm_lsp.index.statistics import History
from codewm_lsp.index.sweeping import Leftover, leftovers, remove
from codewm_lsp.index.update import EditEmbedder, IndexUpdate, UpdateOutcome, UpdateTarget, reached, update
from codewm_lsp.index.whitening import Whitening
from codewm_lsp.index.writing import LoggedCommit

__all__ = [
    "LEXICAL",
    "Blend",
    "Dismissal",
    "Dismissals",
    "EditEmbedder",
    "EditLog",
    "History",
    "Hit",
    "Index",
    "IndexUpdate",
    "Leftover",
    "LoggedCommit",
    "PastEdit",
    "PredictedPlace",
    "Scope",
    "Scores",
    "Source",
    "UpdateOutcome",
    "UpdateTarget",
    "Whitening",
    "changed_words",
    "leftovers",
    "place_words",
    "reached",
    "remove",
    "update",
]
