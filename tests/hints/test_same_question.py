"""An edit asked about in the past has the answers that it had while it was typed."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_lsp.history import Edit, alone, file_edits
from codewm_lsp.ranking.ranker import Several, together

BEFORE = (
    "import os\n\nLIMIT = 3\n\n\nclass Client:\n    open = True\n\n"
    "    def get(self, url):\n        return os.read(url)\n\n"
    "    def put(self, url):\n        return os.write(url)\n\n\ndef old():\n    def inner():\n        return 1\n\n"
    "    return inner()\n\n\ndef last():\n    return LIMIT\n"
)
AFTER = (
    "import os\nimport time\n\nLIMIT = 4\n\n\nclass Client:\n    open = False\n\n    def get(self, url, timeout):\n"
    "        return os.read(url, timeout)\n\n    def head(self, url):\n        return self.get(url, 1)\n\n"
    "    def put(self, url):\n        return os.write(url, time.time())\n\n\nclass Pool:\n    size = 2\n\n"
    "    def take(self):\n        return Client()\n\n\ndef last():\n    return LIMIT + 1\n"
)
EDITS = file_edits("shop.py", BEFORE, AFTER)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.definition)
def test_one_edit_of_a_commit_is_made_by_itself(edit: Edit) -> None:
    made = alone(BEFORE, AFTER, [edit])
    assert made is not None
    assert [one.after.strip() for one in made.edits] == [edit.after.strip()]
    others = {one.definition for one in file_edits("shop.py", BEFORE, made.text)} - {edit.definition}
    needed = {"Pool.take": {"Pool"}, "old": {"old.inner"}}
    assert others <= needed.get(edit.definition, set())


def test_all_edits_of_a_commit_together_are_the_commit() -> None:
    made = alone(BEFORE, AFTER, EDITS)
    assert made is not None
    assert {one.definition for one in made.edits} == {one.definition for one in EDITS}
    assert not file_edits("shop.py", AFTER, made.text)


def test_a_file_that_comes_and_one_that_goes() -> None:
    come = file_edits("shop.py", None, AFTER)
    take = next(edit for edit in come if edit.definition == "Pool.take")
    made = alone(None, AFTER, [take])
    assert made is not None
    assert "class Pool" in made.text
    assert "class Client" not in made.text
    gone = next(edit for edit in file_edits("shop.py", BEFORE, None) if edit.definition == "last")
    left = alone(BEFORE, None, [gone])
    assert left is not None
    assert "def last" not in left.text
    assert "class Client" in left.text


def test_a_file_left_dirty_takes_little_from_what_the_edit_at_hand_says() -> None:
    at_hand, unrelated = np.array([1.0, -2.0, -6.0]), np.array([-5.0, -5.0, -0.5])
    for several in (Several(0.1, 1.0, -1.5, 0.3), Several(2.0, 0.8, -0.5, 0.0)):
        said = together(np.stack([at_hand, unrelated]), several)
        assert (said >= at_hand - several.less).all()
        assert said[2] > at_hand[2]  # what another edit speaks for is still found
