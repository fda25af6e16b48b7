"""The rich action of an edit: fifteen numbers a person can read, of which the hints' words are made.

The seven of the transition model (edit type, scope, where the first change stands) and eight more (how many nodes,
functions and imports came and went, whether control flow, decorators or a class header changed, how the size changed).
Pure, and computed from the two texts alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tree_sitter import Node, Query, QueryCursor

from codewm_lsp.records import dataclass
from codewm_lsp.source.definitions import DefinitionKind
from codewm_lsp.source.languages import PYTHON
from codewm_lsp.source.trees import tree_of

RICH_ACTION: Final = (
    "add",
    "delete",
    "modify",
    "function",
    "class",
    "module",
    "location",
    "node_delta",
    "added_functions",
    "removed_functions",
    "modified_functions",
    "added_imports",
    "control_flow",
    "decorator_or_class",
    "size_ratio",
)
RICH_ACTION_SIZE: Final = len(RICH_ACTION)

ACTION_SHARE: Final = 1 / 3  # chosen on the validation repositories (docs/experiments.md)
_MANY_NODES: Final = math.log1p(1_000)
_MANY: Final = math.log1p(15)
_MEMORABLE: Final = 8_192  # characters of the longest text whose parts are remembered
_PARTS: Final = Query(PYTHON.grammar, PYTHON.parts)


@dataclass(frozen=True, slots=True)
class _Parts:
    nodes: int
    flow: list[str]
    functions: dict[str, list[bytes]]
    headers: list[bytes]
    imports: Counter[bytes]


_EMPTY: Final = _Parts(0, [], {}, [], Counter())


def rich_action(before: str, after: str, definition_kind: DefinitionKind) -> NDArray[np.float32]:
    """The rich action of the edit ``before`` → ``after``: shape (15,), in the order of ``RICH_ACTION``.

    An empty ``before`` is an addition, an empty ``after`` a deletion. ``definition_kind`` is that of the definition;
    methods count as functions; for a whole file give ``DefinitionKind.MODULE``. All values lie in [-1, 1]: one-hots
    and flags are 0 or 1, ``location`` is the share of lines before the first change, counts n are
    log(1 + n) / log(16), the node delta is sign · log(1 + |d|) / log(1001), the size ratio (after - before) / larger.
    """
    action = np.zeros(RICH_ACTION_SIZE, dtype=np.float32)
    action[0 if not before else 1 if not after else 2] = 1.0
    if definition_kind is DefinitionKind.CLASS:
        action[4] = 1.0
    elif definition_kind is DefinitionKind.MODULE:
        action[5] = 1.0
    else:
        action[3] = 1.0
    if before == after:
        return action
    old, new = _parts(before), _parts(after)
    if before and after:
        action[6] = _location(before, after)
    delta = new.nodes - old.nodes
    action[7] = _clip(math.copysign(math.log1p(abs(delta)) / _MANY_NODES, delta))
    added = removed = modified = 0
    for name in old.functions.keys() | new.functions.keys():
        left, right = old.functions.get(name, []), new.functions.get(name, [])
        added += max(0, len(right) - len(left))
        removed += max(0, len(left) - len(right))
        modified += sum(a != b for a, b in zip(left, right, strict=False))
    action[8] = _count(added)
    action[9] = _count(removed)
    action[10] = _count(modified)
    action[11] = _count((new.imports - old.imports).total())
    action[12] = float(old.flow != new.flow)
    action[13] = float(old.headers != new.headers)
    action[14] = (len(after) - len(before)) / max(len(after), len(before))
    return action


def beside_actions(edits: NDArray[np.float32], pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """Embeddings of edits (N, D), with the rich action of each beside them: (N, D + RICH_ACTION_SIZE), length 1.

    The action is that of a whole file and has ``ACTION_SHARE`` of a cosine, so that edits of one type and scope are
    near each other whatever their words (retrieval by type and scope, paper 1). A row of zeros stays.
    """
    actions = np.zeros((len(pairs), RICH_ACTION_SIZE), np.float32)
    for row, (before, after) in enumerate(pairs):
        if edits[row].any():
            action = rich_action(before, after, DefinitionKind.MODULE)
            actions[row] = action / np.linalg.norm(action)
    return np.hstack([edits * math.sqrt(1 - ACTION_SHARE), actions * math.sqrt(ACTION_SHARE)]).astype(np.float32)


def _parts(text: str) -> _Parts:
    if not text:
        return _EMPTY
    return _remembered(text) if len(text) <= _MEMORABLE else _parts_of(text)


@lru_cache(maxsize=512)
def _remembered(text: str) -> _Parts:
    return _parts_of(text)


def _parts_of(text: str) -> _Parts:
    root = tree_of(text.encode("utf-8", "replace")).root_node
    captures = QueryCursor(_PARTS).captures(root)
    functions: dict[str, list[bytes]] = {}
    names = _in_order(captures.get("name", []))
    for name, function in zip(names, _in_order(captures.get("function", [])), strict=False):
        functions.setdefault((name.text or b"").decode("utf-8", "replace"), []).append(function.text or b"")
    return _Parts(
        nodes=root.descendant_count,
        flow=[node.type for node in _in_order(captures.get("flow", []))],
        functions=functions,
        headers=[node.text or b"" for node in _in_order(captures.get("header", []))],
        imports=Counter(node.text or b"" for node in captures.get("import", ())),
    )


def _in_order(nodes: list[Node]) -> list[Node]:
    """Nodes in the order of the text (captures of several patterns come grouped by pattern)."""
    return sorted(nodes, key=lambda node: node.start_byte)


def _location(before: str, after: str) -> float:
    old, new = before.split("\n"), after.split("\n")
    same = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        same += 1
    return min(1.0, same / max(1, max(len(old), len(new)) - 1))


def _count(number: int) -> float:
    return min(1.0, math.log1p(number) / _MANY)


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))
