"""What a person reads."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewm_lsp.dates import age
from codewm_lsp.display import clean, counted, joined, named
from codewm_lsp.hints import Prediction, SimilarEdit
from codewm_lsp.hints.answers import REFERENCE, SAME_KIND, UNDONE, joint_change
from codewm_lsp.hints.wording import likely, next_title, similar_title
from codewm_lsp.history import Commit, EditKind
from codewm_lsp.index import PastEdit
from codewm_lsp.ranking import Reason
from codewm_lsp.ranking.signals.past import CHANGED_LATELY
from codewm_lsp.source import DefinitionKind
from codewm_lsp.world_model.actions import RICH_ACTION, rich_action

NOW = 1_700_000_000.0
DAY = 86_400


def past(sha: str, subject: str, days: float) -> SimilarEdit:
    commit = Commit(sha * 8, "Ada", int(NOW - days * DAY), subject, None)
    edit = PastEdit(1, commit, "a.py", "get", DefinitionKind.FUNCTION, EditKind.MODIFIED, 3)
    return SimilarEdit(edit, 0.9, ())


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]8;;http://evil\x07link\x1b]8;;\x07b", "alinkb"),
        ("a\x1b]0;title\x1b\\b", "ab"),
        ("one\n\ttwo\r\n  three", "one two three"),
        ("back\x08space\x07\x00", "backspace"),
        ("abc\u202eevil\u2066", "abcevil"),
        ("\x9b2Jgone", "gone"),
        ("naïve · ☃ 中文", "naïve · ☃ 中文"),
    ],
)
def test_nothing_that_drives_a_terminal_survives(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


@given(st.text(max_size=200), st.integers(1, 50))
def test_cleaned_text_is_one_printable_line_of_bounded_length(text: str, longest: int) -> None:
    cleaned = clean(text, longest)
    assert len(cleaned) <= longest
    assert all(unicodedata.category(character)[0] != "C" for character in cleaned)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3 * 3600, "3 hours ago"),
        (DAY, "1 day ago"),
        (15 * DAY, "2 weeks ago"),
        (124 * DAY, "4 months ago"),
        (3 * 366 * DAY, "3 years ago"),
    ],
)
def test_ages_are_told_in_the_largest_whole_unit(seconds: float, words: str) -> None:
    assert age(seconds) == words


def test_words_are_joined_as_a_person_would() -> None:
    assert (joined([]), joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])) == (
        "",
        "a",
        "a and b",
        "a, b and c",
    )


def prediction(*evidence: SimilarEdit, reasons: tuple[str, ...] = ()) -> Prediction:
    why = tuple(Reason("why", 1.0, words) for words in reasons)
    return Prediction("a.py", "put", 3, 0.618, ("body",), why, evidence)


def joint(subject: str, days: float = 124) -> SimilarEdit:
    return replace(past("3f2a91c", subject, days), reasons=(joint_change(("a.py", "Client.get"), "a.py"),))


def test_a_title_says_the_chance_and_the_commit_that_changed_both() -> None:
    title = next_title(prediction(joint("Add timeouts"), reasons=("next to get",)), NOW)
    assert title == "likely next (60 %) · changed with Client.get in 3f2a91c 'Add timeouts' · 4 months ago"


def test_a_title_says_the_chance_and_the_reason_and_the_past_edit_that_fits() -> None:
    similar = replace(past("3f2a91c", "Add timeout", 1), reasons=(Reason("meaning", 0.5, "similar change (50 %)"),))
    assert next_title(prediction(similar, reasons=("still mentions retries",)), NOW) == (
        "likely next (60 %) · still mentions retries · like 3f2a91c 'Add timeout' · 1 day ago"
    )
    assert next_title(prediction(similar), NOW) == "likely next (60 %) · like 3f2a91c 'Add timeout' · 1 day ago"


def test_that_a_place_changed_lately_is_not_said_in_place_of_the_past_edit_that_fits() -> None:
    lately = Reason(CHANGED_LATELY.name, 0.7, "changed 17 commits ago")
    found = replace(prediction(past("3f2a91c", "Raise the limit of requests", 124)), reasons=(lately,))
    told = next_title(found, NOW)
    assert told == "likely next (60 %) · like 3f2a91c 'Raise the limit of requests' · 4 months ago"


def test_a_title_names_no_commit_where_none_fits() -> None:
    assert next_title(prediction(reasons=("still mentions retries",)), NOW) == (
        "likely next (60 %) · still mentions retries"
    )
    assert next_title(prediction(), NOW) == "likely next (60 %)"


def test_a_past_edit_that_is_not_telling_leaves_room_for_a_second_reason() -> None:
    weak = replace(joint("Add timeouts"), telling=False)
    why = ("still mentions retries", "changed together with get twice", "next to get")
    assert next_title(prediction(weak, reasons=why), NOW) == (
        "likely next (60 %) · still mentions retries · changed together with get twice"
    )
    long = ("still mentions retries", "b" * 90)
    assert next_title(prediction(weak, reasons=long), NOW) == "likely next (60 %) · still mentions retries"
    told = next_title(prediction(weak, past("4a2a91c", "Retry", 1), reasons=why), NOW)
    assert told == "likely next (60 %) · still mentions retries · like 4a2a91c 'Retry' · 1 day ago"


def test_a_joint_change_within_the_file_does_not_name_the_file() -> None:
    assert joint_change(("src/a.py", "<module>"), "src/a.py").words == "changed with this file's module level"
    assert joint_change(("src/a.py", "<module>"), "src/b.py").words == "changed with a.py"


def test_a_title_of_what_must_follow_says_nothing_else() -> None:
    must = Reason(REFERENCE, 0.9, "still calls get, renamed to fetch")
    found = replace(prediction(joint("Add timeouts")), reasons=(must, Reason("why", 1.0, "next to get")))
    assert next_title(found, NOW) == "likely next · still calls get, renamed to fetch"


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("a" * 20, f"likely next (60 %) · {'a' * 20} · like 3f2a91c 'Add timeouts, and then so…' · 4 months ago"),
        ("a" * 38, f"likely next (60 %) · {'a' * 38}"),
        ("a" * 60, f"likely next (60 %) · {'a' * 60}"),
        ("a" * 99, f"likely next (60 %) · {'a' * 78}…"),
    ],
)
def test_a_long_title_shortens_the_subject_and_names_no_commit_without_one(reason: str, title: str) -> None:
    found = past("3f2a91c", "Add timeouts, and then some more of them everywhere", 124)
    assert next_title(prediction(found, reasons=(reason,)), NOW) == title
    assert len(title) <= 100


@given(st.text(max_size=120), st.lists(st.text(max_size=120), max_size=2), st.booleans())
def test_a_title_is_one_line_of_at_most_100_characters(subject: str, reasons: list[str], both: bool) -> None:
    found = joint(subject) if both else past("3f2a91c", subject, 3)
    title = next_title(prediction(found, reasons=tuple(clean(f"why {words}") for words in reasons)), NOW)
    assert title.startswith("likely next (60 %)")
    assert len(title) <= 100
    assert clean(title) == title


def test_the_title_of_a_changed_definition_counts_other_commits_alike() -> None:
    found = [past("3f2a91c", "Add timeout", 1), past("3f2a91c", "Add timeout", 1), past("aaaaaaa", "Add retries", 2)]
    assert similar_title(found, NOW) == "like 3f2a91c 'Add timeout' · 1 day ago · and 1 more"
    assert similar_title(found[:2], NOW) == "like 3f2a91c 'Add timeout' · 1 day ago"


@pytest.mark.parametrize(
    "subject",
    [
        *(
            "Merge commit from fork",
            "Merge pull request #12 from a/b",
            ".",
            "fix",
            "WIP",
            "v1.2.3",
            "Release 2.0rc1",
            "",
        ),
        *(
            "Apply suggestions from code review",
            "[pre-commit.ci] auto fixes from pre-commit.com hooks",
            "Update shop.py",
        ),
    ],
)
def test_where_the_subject_says_nothing_the_past_definition_is_named(subject: str) -> None:
    found = past("3f2a91c", subject, 1)
    name = found.edit.definition
    assert similar_title([found], NOW) == f"like {name} in 3f2a91c · 1 day ago"
    module = replace(found, edit=replace(found.edit, path="src/shop.py", definition="<module>"))
    assert similar_title([module], NOW) == "like shop.py in 3f2a91c · 1 day ago"
    assert next_title(prediction(found), NOW) == f"likely next (60 %) · like {name} in 3f2a91c · 1 day ago"
    undone = replace(found, reasons=(Reason(UNDONE, 1.0, "your edit undoes it"),))
    assert similar_title([undone], NOW) == "undoes 3f2a91c · 1 day ago"
    same = replace(found, reasons=(Reason(SAME_KIND, 1.0, "parameter added here before"),))
    assert similar_title([same], NOW) == "parameter added here before: 3f2a91c · 1 day ago"
    both = joint(subject)
    assert next_title(prediction(both), NOW).startswith("likely next (60 %) · changed with Client.get in 3f2a91c · ")


@pytest.mark.parametrize(
    "subject", ["Merge two lists", "Fix #12 for proxies", "Bump ruff", "Fixtures", "修正", "Update docs for 3.14"]
)
def test_a_short_subject_that_says_something_is_quoted(subject: str) -> None:
    assert similar_title([past("3f2a91c", subject, 1)], NOW) == f"like 3f2a91c '{subject}' · 1 day ago"


def test_a_subject_with_quotation_marks_stands_between_others() -> None:
    assert similar_title([past("3f2a91c", "Don't retry", 1)], NOW) == 'like 3f2a91c "Don\'t retry" · 1 day ago'
    assert similar_title([past("3f2a91c", "'a' -> \"b\"", 1)], NOW) == "like 3f2a91c “'a' -> \"b\"” · 1 day ago"


def test_one_is_counted_in_the_singular() -> None:
    assert [counted(number, "commit") for number in (0, 1, 2284)] == ["0 commits", "1 commit", "2,284 commits"]


def test_a_hostile_subject_is_harmless_and_short_in_a_title() -> None:
    title = similar_title([past("3f2a91c", "\x1b[2J" + "x" * 500, 1)], NOW)
    assert "\x1b" not in title
    assert len(title) < 120


BEFORE = "@cached\ndef get(self,\n        url):\n    a = 1\n    b = 2\n    return a + b\n"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (BEFORE.replace("url)", "url, x)"), ("signature",)),
        (BEFORE.replace("b = 2", "b = 3"), ("body",)),
        (BEFORE.replace("@cached\n", "@cached\n@traced\n"), ("decorators",)),
        (BEFORE.replace("b = 2", "if a:\n        b = 2"), ("body", "control flow")),
        (BEFORE.replace("url)", "url, x)").replace("b = 2", "b = x * 1000 + x * 2000 + x"), ("signature", "body")),
        ("", ("everything (removed)",)),
    ],
)
def test_a_function_edit_is_told_by_what_it_changes(after: str, words: tuple[str, ...]) -> None:
    action = rich_action(BEFORE, after, DefinitionKind.METHOD)
    assert likely(action, DefinitionKind.METHOD, BEFORE) == words


def test_imports_and_class_headers_are_told() -> None:
    module = rich_action("import a\n", "import a\nimport b\n", DefinitionKind.MODULE)
    assert likely(module, DefinitionKind.MODULE, "import a\n") == ("imports", "module level")
    header = rich_action("class A(B):\n    x = 1\n", "class A(C):\n    x = 1\n", DefinitionKind.CLASS)
    assert likely(header, DefinitionKind.CLASS, "class A(B):\n    x = 1\n") == ("class header",)


@given(st.lists(st.floats(-2, 2, width=32), min_size=15, max_size=15), st.sampled_from(DefinitionKind), st.text())
def test_any_predicted_action_gives_words(numbers: list[float], kind: DefinitionKind, source: str) -> None:
    assert len(RICH_ACTION) == len(numbers)
    assert likely(np.array(numbers, dtype=np.float32), kind, source)


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("Client.get", "Client.get"),
        ("<module>", "<module>"),
        ("Client.get#2", "Client.get (2nd definition)"),
        ("get#11", "get (11th definition)"),
        ("Client#3.get", "Client.get (in the 3rd Client)"),
        ("Client#21.get#2", "Client.get (in the 21st Client, 2nd definition)"),
    ],
)
def test_a_name_that_is_defined_again_is_said_in_words(definition: str, words: str) -> None:
    assert named(definition) == words
