"""Which definition is edited next: signals of the working state and the past, and the ranker that weighs them."""

from codewm_lsp.ranking.ranker import Ranker
from codewm_lsp.ranking.ranker_file import ranker_of
from codewm_lsp.ranking.reasons import Reason

__all__ = ["Ranker", "Reason", "ranker_of"]
