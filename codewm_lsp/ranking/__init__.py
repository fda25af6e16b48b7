"""Which definition is edited next, why, and which past edits stand behind it."""

from typing import TYPE_CHECKING

from codewm_lsp.lazily import names_of_package

if TYPE_CHECKING:
    from codewm_lsp.ranking.evidence_scorer import EvidenceScorer, scorer_of
    from codewm_lsp.ranking.ranker import Ranker
    from codewm_lsp.ranking.ranker_file import ranker_of
    from codewm_lsp.ranking.reasons import Reason

__all__ = ["EvidenceScorer", "Ranker", "Reason", "ranker_of", "scorer_of"]

__getattr__ = names_of_package(
    __name__,
    {
        "evidence_scorer": ("EvidenceScorer", "scorer_of"),
        "ranker": ("Ranker",),
        "ranker_file": ("ranker_of",),
        "reasons": ("Reason",),
    },
)
