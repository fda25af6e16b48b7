"""Which definition is edited next: signals of the working state and the past, and the ranker that weighs them."""

from codewm_lsp.ranking.reasons import Reason

__all__ = ["Reason"]
