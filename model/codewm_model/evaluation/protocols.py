"""The protocols by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from codewm_model.evaluation.composition import Composition
from codewm_model.evaluation.measurement import EvaluationProtocol
from codewm_model.evaluation.paper_retrieval import PaperRetrieval
from codewm_model.evaluation.parity import Parity
from codewm_model.evaluation.sibling_search import SiblingSearch
from codewm_model.evaluation.transitions import Transitions
from codewm_model.evaluation.what_next import WhatNext
from codewm_model.evaluation.where_next_protocol import WhereNext

_APART_FROM_PARITY: Final[dict[str, Callable[[], EvaluationProtocol]]] = {
    "e1": Transitions,
    "e2": Composition,
    "e3": PaperRetrieval,
    "e4": SiblingSearch,
    "e5": WhereNext,
    "e6": WhatNext,
}
NAMES: Final = (*_APART_FROM_PARITY, "e7")


def protocols_of(names: Sequence[str]) -> list[EvaluationProtocol]:
    """The protocols of some names, in the order of their numbers; parity on those of E3 to E6 asked for with it,
    and where none of them is, on E3 and E4.
    """
    found = [make() for name, make in _APART_FROM_PARITY.items() if name in names]
    if "e7" in names:
        measured: list[EvaluationProtocol] = [
            protocol for protocol in found if protocol.name in ("e3", "e4", "e5", "e6")
        ]
        measured = [SiblingSearch(large=False) if one.name == "e4" else one for one in measured]
        found.append(Parity(measured or [PaperRetrieval(), SiblingSearch(large=False)]))
    return found
