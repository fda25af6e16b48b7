"""What two edits changed alike: words that both added, or that both removed."""

from __future__ import annotations

from collections.abc import Mapping

from codewm_lsp.records import dataclass


@dataclass(frozen=True, slots=True)
class Overlap:
    """``words``: how many. ``asked``, ``past``: the share that they have of what each of the two changed; ``rarest``:
    the share that one word alone has in the likeness, 1 where there is none. ``changed``: how many words the past edit
    changed at all.
    """

    words: int
    asked: float
    past: float
    rarest: float
    changed: int

    @classmethod
    def of(
        cls, asked: Mapping[int, float], past: Mapping[int, float], idf: Mapping[int, float], length: float
    ) -> Overlap:
        """Of two bags of words, by term sign × log(1 + net count); ``length``: of the bag that asks, which may hold
        words that no past edit has."""
        alike = [term for term, weight in past.items() if weight * asked.get(term, 0.0) > 0]
        if not alike:
            return cls(0, 0.0, 0.0, 1.0, len(past))
        products = [asked[term] * past[term] * idf[term] ** 2 for term in alike]
        whole = sum((weight * idf[term]) ** 2 for term, weight in past.items())
        return cls(
            words=len(alike),
            asked=sum((asked[term] * idf[term]) ** 2 for term in alike) / max(length**2, 1e-9),
            past=sum((past[term] * idf[term]) ** 2 for term in alike) / max(whole, 1e-9),
            rarest=max(products) / max(sum(products), 1e-9),
            changed=len(past),
        )
