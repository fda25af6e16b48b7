"""Git → edits and chains: the commits of the past, and the working tree. Runs no code of a repository."""

from codewm_lsp.history.alone import Alone, alone, as_before
from codewm_lsp.history.chains import Chain, chains
from codewm_lsp.history.edits import LAST_DATE, UNAVAILABLE, Commit, CommitEdits, Edit, EditKind, file_edits
from codewm_lsp.history.paths import DEFAULT_EXCLUDE, is_secret
from codewm_lsp.history.renames import NewestPaths
from codewm_lsp.history.repository import Repository

__all__ = [
    "DEFAULT_EXCLUDE",
    "LAST_DATE",
    "UNAVAILABLE",
    "Alone",
    "Chain",
    "Commit",
    "CommitEdits",
    "Edit",
    "EditKind",
    "NewestPaths",
    "Repository",
    "alone",
    "as_before",
    "chains",
    "file_edits",
    "is_secret",
]
