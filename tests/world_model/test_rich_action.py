"""The fifteen numbers that describe an edit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewm_lsp.source import DefinitionKind
from codewm_lsp.world_model.actions import RICH_ACTION, rich_action

GET = "def get(self, url):\n    if url:\n        return fetch(url)\n"


def named(before: str, after: str, kind: DefinitionKind = DefinitionKind.FUNCTION) -> dict[str, float]:
    return {
        name: round(float(value), 4) for name, value in zip(RICH_ACTION, rich_action(before, after, kind), strict=True)
    }


def test_edit_type_and_scope_are_one_hot() -> None:
    assert named("", GET)["add"] == 1
    assert named(GET, "", DefinitionKind.METHOD)["delete"] == 1
    assert named(GET, "", DefinitionKind.METHOD)["function"] == 1
    changed = named("class A:\n    x = 1\n", "class A:\n    x = 2\n", DefinitionKind.CLASS)
    assert (changed["modify"], changed["class"], changed["add"], changed["function"]) == (1, 1, 0, 0)
    assert named("x = 1\n", "x = 2\n", DefinitionKind.MODULE)["module"] == 1


def test_location_is_where_the_first_changed_line_stands() -> None:
    signature = named(GET, GET.replace("url):", "url, timeout):"))
    body = named(GET, GET.replace("fetch(url)", "fetch(url, 1)"))
    assert signature["location"] == 0
    assert body["location"] > 0.5


def test_a_changed_body_counts_as_one_modified_function() -> None:
    changed = named(GET, GET.replace("fetch", "load"))
    assert changed["modified_functions"] > 0
    assert changed["added_functions"] == changed["removed_functions"] == 0
    assert changed["node_delta"] == 0
    assert changed["control_flow"] == 0


def test_functions_of_a_whole_file_are_counted() -> None:
    before = "def a():\n    pass\n\ndef b():\n    pass\n"
    after = "def a():\n    return 1\n\ndef c():\n    pass\n\ndef d():\n    pass\n"
    changed = named(before, after, DefinitionKind.MODULE)
    assert changed["added_functions"] > changed["removed_functions"] > 0
    assert changed["modified_functions"] == changed["removed_functions"]  # one each


def test_added_imports_control_flow_decorators_and_class_headers_are_seen() -> None:
    assert named("import a\n", "import a\nimport b\nfrom c import d\n", DefinitionKind.MODULE)["added_imports"] > 0
    assert named("import a\nimport b\n", "import b\n", DefinitionKind.MODULE)["added_imports"] == 0
    assert named(GET, GET.replace("if url", "while url"))["control_flow"] == 1
    assert named(GET, "@cached\n" + GET)["decorator_or_class"] == 1
    assert named("class A(B):\n    pass\n", "class A(C):\n    pass\n", DefinitionKind.CLASS)["decorator_or_class"] == 1
    assert named(GET, GET.replace("fetch", "load"))["decorator_or_class"] == 0


def test_size_and_nodes_grow_and_shrink_with_opposite_signs() -> None:
    longer = GET + "    return load(url, retries=3)\n"
    grown, shrunk = named(GET, longer), named(longer, GET)
    assert grown["size_ratio"] == pytest.approx(-shrunk["size_ratio"])
    assert grown["node_delta"] == pytest.approx(-shrunk["node_delta"])
    assert grown["size_ratio"] > 0
    assert grown["node_delta"] > 0


def test_an_indented_method_is_read_like_a_function() -> None:
    method = "@property\n    def size(self):\n        return 1\n"
    assert named(method, method.replace("1", "2"), DefinitionKind.METHOD)["modified_functions"] > 0


def test_the_same_text_twice_changes_nothing() -> None:
    assert rich_action(GET, GET, DefinitionKind.FUNCTION)[6:].tolist() == [0.0] * 9


@settings(max_examples=100, deadline=None)
@given(before=st.text(max_size=200), after=st.text(max_size=200), kind=st.sampled_from(DefinitionKind))
def test_any_two_texts_give_fifteen_numbers_within_minus_one_and_one(
    before: str, after: str, kind: DefinitionKind
) -> None:
    action = rich_action(before, after, kind)
    assert action.shape == (15,)
    assert action.dtype == np.float32
    assert np.isfinite(action).all()
    assert np.abs(action).max() <= 1
