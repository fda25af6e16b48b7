"""Which definition is edited next, why, and which past edits stand behind it."""

from codewm_lsp.ranking.evidence_scorer import EvidenceScorer, scorer_of
from codewm_lsp.ranking.ranker import Ranker
from codewm_lsp.ranking.ranker_file import ranker_of
from codewm_lsp.ranking.reasons import Reason

__all__ = ["EvidenceScorer", "Ranker", "Reason", "ranker_of", "scorer_of"]
