"""A definition of twenty thousand lines is asked about by what was changed in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.hints import Change, HintOptions
from codewm_lsp.hints.excerpts import LONGEST, excerpt
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.source import DefinitionKind

LONG = "def long(self):\n" + "".join(f"    value_{number} = call({number}, other)\n" for number in range(20_000))


def edit_of(before: str, after: str) -> Edit:
    kinds = (DefinitionKind.FUNCTION, EditKind.MODIFIED)
    return Edit("a.py", "long", *kinds, before, after, 0, None, None)


@pytest.mark.parametrize("number", [0, 100, 19_999])
def test_what_was_changed_is_kept_with_its_surroundings_and_the_signature(number: int) -> None:
    short = excerpt(edit_of(LONG, LONG.replace(f"call({number}, other)", f"call({number}, another)")))
    assert f"    value_{number} = call({number}, other)" in short.before.split("\n")
    assert f"    value_{number} = call({number}, another)" in short.after.split("\n")
    for text in (short.before, short.after):
        assert text.startswith("def long(self):\n")
        assert len(text) <= LONGEST
        assert len(text.split("\n")) < 200


@pytest.mark.parametrize("number", [0, 50_000, 99_999])
def test_of_a_line_that_is_very_long_itself_what_was_changed_is_kept(number: int) -> None:
    values = [str(value) for value in range(100_000)]
    changed = [*values[:number], "changed", *values[number + 1 :]]
    short = excerpt(edit_of(f"x = [{', '.join(values)}]\n", f"x = [{', '.join(changed)}]\n"))
    assert "changed" in short.after
    assert f" {number}," in short.before.replace("[", " ").replace("]", ",")
    assert max(len(short.before), len(short.after)) <= LONGEST


@given(st.text(alphabet="ab\n", max_size=400), st.text(alphabet="ab\n", max_size=400), st.booleans())
def test_any_two_texts_are_kept_within_the_bound(before: str, after: str, long: bool) -> None:
    edit = edit_of(before + LONG if long else before, after + LONG if long else after)
    short = excerpt(edit)
    assert (short is edit) == (not long)
    assert len(short.before) <= LONGEST
    assert len(short.after) <= LONGEST
    assert (short.before == short.after) == (edit.before == edit.after)


def test_no_more_than_that_reaches_the_model(shop: Any, open_engine: Callable[[Path], Any]) -> None:
    asking = open_engine(shop.path)
    read: list[int] = []
    encoder = type(asking.encoder)
    embed, predict = asking.encoder.embed_edits, asking.encoder.predict_next

    class Reading(encoder):  # type: ignore[misc, valid-type]
        def embed_edits(self, pairs: Any) -> Any:
            read.extend(len(text) for pair in pairs for text in pair)
            return embed(pairs)

        def predict_next(self, sources: Any, recent: Any) -> Any:
            read.extend(map(len, sources))
            return predict(sources, recent)

    asking.engine._model = Reading()
    long = LONG[: LONG.index("    value_5000 ")]
    shop.commit("Add long ones", {"shop/client.py": long + "\n\n" + long.replace("def long", "def other")})
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8").replace("call(7, other)", "call(8, other)", 1)
    snapshot = asking.workspace.apply(Change({"shop/client.py": text}))
    shown = asking.engine.hints(snapshot, "shop/client.py", options=HintOptions(threshold=0.0, similar_threshold=0.0))
    assert {hint.definition for hint in shown.items} >= {"other"}
    assert read
    assert max(read) <= LONGEST
    whole = asking.repository.working_edits({"shop/client.py": text})  # as the command line asks
    assert any(len(edit.after) > LONGEST for edit in whole)
    assert asking.engine.next(snapshot, whole)
    for edit in whole:
        asking.engine.similar(snapshot, edit)
    assert max(read) <= LONGEST
