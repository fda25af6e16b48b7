"""How long the model takes for a definition and for an edit, from their texts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks.rows import Row, percentile
from codewm_lsp.history import Edit
from codewm_lsp.source import tokenize
from codewm_lsp.world_model import WorldModel

TOKENS = range(80, 91)  # "about 85", the median definition
SINGLE = 200
WARM = 100  # other definitions that have been encoded before
BULK = 1_000


def rows(model: WorldModel, sources: Sequence[str], edits: Sequence[Edit]) -> list[Row]:
    """``sources`` and ``edits`` of a real repository; each text is used once, so that no cache answers."""
    unique = list(dict.fromkeys(sources))
    typical = [source for source in unique if _tokens(source) in TOKENS]
    single, bulk = typical[:SINGLE], typical[SINGLE : SINGLE + BULK]
    pairs = list(dict.fromkeys((edit.before, edit.after) for edit in edits))
    # What a process learns of words from its first definitions, it knows for all others.
    model.embed_states([source for source in unique if _tokens(source) not in TOKENS][:WARM])
    model.embed_edits([("", "def warm_up(): pass\n")])
    found: list[Row] = []
    if single:
        times = _each(lambda source: model.embed_states([source]), single)
        note = f"{len(single)} definitions of 80–90 tokens, one at a time after {WARM} others, median"
        found.append(Row("one definition → its state", statistics.median(times) * 1e3, "ms", 1.2, note=note))
    if len(bulk) > 50:
        started = time.process_time()
        model.embed_states(bulk)
        each = (time.process_time() - started) / len(bulk)
        found.append(
            Row("the same in bulk, a definition", each * 1e3, "ms", found[-1].measured, note=f"{len(bulk)} at once")
        )
    times = _each(lambda pair: model.embed_edits([pair]), pairs[:SINGLE])
    note = f"{len(times)} edits as they came, one at a time, median"
    found.append(Row("one edit → its vector, from two texts", statistics.median(times) * 1e3, "ms", 4.0, note=note))
    found.append(Row("the same, 95th percentile", percentile(times, 0.95) * 1e3, "ms"))
    rest = pairs[SINGLE : SINGLE + BULK]
    if len(rest) > 50:
        started = time.process_time()
        model.embed_edits(rest)
        found.append(
            Row(
                "the same in bulk, an edit",
                (time.process_time() - started) / len(rest) * 1e3,
                "ms",
                note=f"{len(rest)} at once",
            )
        )
    return found


def _tokens(source: str) -> int:
    """How many tokens a text has; asked with a line end more, as the tokens of a text are remembered."""
    return len(tokenize(f"{source}\n").ids)


def _each(work: Callable[..., object], items: Sequence[object]) -> list[float]:
    times = []
    for item in items:
        started = time.process_time()
        work(item)
        times.append(time.process_time() - started)
    return times
