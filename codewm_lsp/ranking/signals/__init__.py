"""All signals: the one list that the ranker, its training and its explanations go by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from codewm_lsp.ranking.signal import Explanation, Level, Signal
from codewm_lsp.ranking.signals import changed_words, files, past, place


def registry(signals: Iterable[Signal], level: Level) -> Mapping[str, Signal]:
    """The signals of a level by name. Raises ValueError where two have the same."""
    found: dict[str, Signal] = {}
    for signal in signals:
        if signal.level is level:
            if signal.name in found:
                raise ValueError(f"two signals of a {level.value} are called {signal.name}")
            found[signal.name] = signal
    return MappingProxyType(found)


_ALL: Final = (*changed_words.SIGNALS, *place.SIGNALS, *past.SIGNALS, *files.SIGNALS)
DEFINITION_SIGNALS: Final = registry(_ALL, Level.DEFINITION)
FILE_SIGNALS: Final = registry(_ALL, Level.FILE)
_EXPLAINED: Final = dict.fromkeys(
    signal.explanation
    for signal in (*past.SIGNALS, *place.SIGNALS, *changed_words.SIGNALS, *files.SIGNALS)
    if isinstance(signal.explanation, Explanation)
)
EXPLANATIONS: Final = tuple(sorted(_EXPLAINED, key=lambda explanation: explanation.plain))
"""Each once, those first that say more to a person."""
