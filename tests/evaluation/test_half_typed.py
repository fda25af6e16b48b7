"""Edits as they are while somebody types them, and what E4 says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.history import Edit, EditKind
from codewm_lsp.source import DefinitionKind
from codewm_model.evaluation.half_typed import LONGEST, half_typed
from codewm_model.evaluation.measurement import Clone, Settings
from codewm_model.evaluation.models import load
from codewm_model.evaluation.repositories import find
from codewm_model.evaluation.sibling_search import EARLIER_BLEND, TO_COME, SiblingSearch, words_to_come

BEFORE = "def load(path):\n    check(path)\n    data = read(path)\n    return data\n"
AFTER = (
    "def load(path, encoding):\n    check(path)\n    data = read(path, encoding)\n    log(data)\n    return data.text\n"
)


def edit(before: str, after: str) -> Edit:
    kind = EditKind.ADDED if not before else EditKind.MODIFIED if after else EditKind.REMOVED
    return Edit("a.py", "load", DefinitionKind.FUNCTION, kind, before, after, 0, None, None)


def test_changes_are_made_from_top_to_bottom() -> None:
    parts = half_typed(edit(BEFORE, AFTER))
    assert parts is not None
    half, first = parts
    assert first.after == BEFORE.replace("(path):", "(path, encoding):")
    assert half.after == first.after.replace("read(path)", "read(path, encoding)")
    assert half.before == first.before == BEFORE
    assert half.kind is EditKind.MODIFIED


def test_a_new_definition_begins_with_its_first_line() -> None:
    parts = half_typed(edit("", AFTER))
    assert parts is not None
    half, first = parts
    assert first.after == "def load(path, encoding):\n"
    assert half.after == "".join(AFTER.splitlines(keepends=True)[:3])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (AFTER, ""),
        ("a = 1\n", "a = 2\n"),
        ("a = 1\nb = 1\nc = 1\nd = 1\n", "a = 1\nb = 1\nc = 1\nd = 2\n"),
        ("", "value = 1\n" * LONGEST),
    ],
)
def test_what_cannot_be_half_typed_is_left_out(before: str, after: str) -> None:
    assert half_typed(edit(before, after)) is None


def test_words_to_come_are_those_added_later() -> None:
    whole = edit(BEFORE, AFTER)
    parts = half_typed(whole)
    assert parts is not None
    assert words_to_come(whole, parts[0]) == {"data", "log", "text"}
    assert words_to_come(whole, whole) == set()


def test_e4_tells_kinds_and_half_typed_edits_apart(clones: Path, tmp_path: Path) -> None:
    found, _ = find(clones, ["alpha/orders"], required=True)
    outcome = SiblingSearch(large=False).run(
        [Clone("alpha/orders", found[0].folder, found[0].head)],
        load([]),
        Settings(cache=tmp_path, limit=60, baselines=frozenset({"bar"})),
        lambda what, done, of: None,
    )
    model = load([])[0]
    of = {(one.setting, one.metric, one.system): one for one in outcome.figures}
    name = "definitions, newest 300"
    kinds = [of[f"{name}, {kind}", "MRR@10", model.blend] for kind in ("added", "modified", "removed")]
    whole = of[name, "MRR@10", model.blend]
    assert sum(one.n for one in kinds) == whole.n
    assert np.average([one.value for one in kinds], weights=[one.n for one in kinds]) == pytest.approx(whole.value)
    for system in (model.blend, EARLIER_BLEND.format(model.name), model.name, model.whitened):
        counts = set()
        for what in ("those of four lines or more", "half typed", "first line"):
            figure = of[f"{name}, modified, {what}", "MRR@10", system]
            counts.add(figure.n)
            assert 0 < figure.value <= 1
            assert ((f"{name}, modified, {what}", TO_COME, system) in of) == (what in ("half typed", "first line"))
        assert len(counts) == 1
