"""Earlier edits of the same definition that made the same kind of change; and past edits that have little in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.hints import HintKind, HintOptions
from codewm_lsp.hints.fitting import fitting, likeness_of_kinds
from codewm_lsp.hints.wording import TITLE, similar_title
from codewm_lsp.index.overlap import Overlap
from tests.hints.conftest import in_progress

OpenEngine = Callable[[Path], Any]
NOTHING = Overlap(0, 0.0, 0.0, 1.0, 9)

CLIENT = """\
class Client:
    def __init__(self, host{parameters}):
        self.host = host
{body}
    def close(self):
        self.open = False
"""


def client(*names: str) -> str:
    return CLIENT.format(
        parameters="".join(f", {name}=None" for name in names),
        body="".join(f"        self.{name} = {name}\n" for name in names),
    )


@pytest.fixture
def grown(make_repository: Callable[..., Any]) -> Any:
    """A constructor that was given a parameter once, and something else since."""
    repository = make_repository("grown")
    repository.commit("Begin", {"client.py": client(), "other.py": "def wait(seconds):\n    sleep(seconds)\n"})
    repository.commit("Give clients a timeout", {"client.py": client("timeout"), "README.py": "USAGE = 'timeout'\n"})
    changed = client("timeout").replace("self.host = host", "self.host = host.strip()")
    repository.commit("Strip the host", {"client.py": changed})
    repository.commit("Wait longer", {"other.py": "def wait(seconds):\n    sleep(2 * seconds)\n"})
    return repository


def test_an_earlier_edit_of_the_definition_that_made_the_same_kind_of_change_leads_and_says_so(
    grown: Any, open_engine: OpenEngine
) -> None:
    engine = open_engine(grown.path)
    text = client("timeout", "proxy").replace("self.host = host", "self.host = host.strip()")
    edit = in_progress(grown, "client.py", text)
    found = engine.similar(edit, k=10)
    assert (found[0].edit.definition, found[0].edit.commit.subject) == ("Client.__init__", "Give clients a timeout")
    assert found[0].reasons[0].words == "parameter added here before"
    (lens,) = engine.hints("client.py", text, options=HintOptions(kinds=frozenset({HintKind.SIMILAR}))).items
    assert lens.title.startswith(
        f"parameter added here before: {found[0].edit.commit.sha[:7]} 'Give clients a timeout'"
    )


def test_earlier_edits_of_the_definition_that_did_something_else_are_left_out(
    grown: Any, open_engine: OpenEngine
) -> None:
    engine = open_engine(grown.path)
    edit = in_progress(
        grown, "client.py", client("timeout", "proxy").replace("self.host = host", "self.host = host.strip()")
    )
    own = [one.edit.commit.subject for one in engine.similar(edit, k=0) if one.edit.definition == edit.definition]
    assert own == ["Give clients a timeout"]


def test_an_argument_of_a_call_in_a_new_branch_is_not_said_to_have_been_added_here(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = make_repository("branches")
    first = "def run(kind):\n    try:\n        if kind:\n            send(kind)\n"
    end = "    except OSError:\n        stop()\n"
    second = f"{first}        elif kind is None:\n            send(kind, wait=1)\n"
    repository.commit("Begin", {"client.py": first + end})
    repository.commit("Send nothing", {"client.py": second + end})
    edit = in_progress(repository, "client.py", f"{second}{end}    except ValueError:\n        report(kind, code=2)\n")
    said = [reason.words for one in open_engine(repository.path).similar(edit, k=0) for reason in one.reasons]
    assert not [words for words in said if words.endswith("here before")]


def test_a_title_about_the_same_definition_has_room_for_what_is_said(grown: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(grown.path)
    edit = in_progress(
        grown, "client.py", client("timeout", "proxy").replace("self.host = host", "self.host = host.strip()")
    )
    first = engine.similar(edit, k=1)[0]
    long = replace(first.edit, commit=replace(first.edit.commit, subject="Give every client that there is " * 4))
    assert len(similar_title([replace(first, edit=long)], time.time())) <= TITLE


def test_one_word_in_common_tells_less_than_several_that_make_two_edits_as_alike(
    grown: Any, open_engine: OpenEngine
) -> None:
    engine = open_engine(grown.path)
    edit = in_progress(grown, "client.py", client("timeout", "proxy"))
    vector = engine.encoder.embed_edits([(edit.before, edit.after)])[0]
    hit = replace(engine.index.search(edit, vector, k=1)[0], score=0.6)
    one, several = Overlap(1, 0.3, 0.3, 1.0, 5), Overlap(6, 0.3, 0.3, 0.3, 20)
    (weak,), (strong,) = fitting([replace(hit, overlap=one)]), fitting([replace(hit, overlap=several)])
    assert weak.score < HintOptions().similar_threshold < strong.score


def test_kinds_of_change_are_alike_by_the_share_that_both_have() -> None:
    assert likeness_of_kinds(frozenset({"a", "b"}), frozenset({"b"})) == 0.5
    assert likeness_of_kinds(frozenset(), frozenset()) == 0


def test_what_is_known_of_the_first_past_edits_holds_for_those_after_them(grown: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(grown.path)
    edit = in_progress(grown, "client.py", client("timeout", "proxy"))
    vector = engine.encoder.embed_edits([(edit.before, edit.after)])[0]
    hits = engine.index.search(edit, vector, k=0)
    assert all(hit.overlap is not None for hit in hits)
    likely = replace(hits[0], score=0.9, overlap=NOTHING)
    rest = replace(hits[0], score=0.6, overlap=None)
    first, last = fitting([likely, rest])
    assert last.score < first.score < 0.3
    (same,) = fitting([replace(hits[0], score=1.0, overlap=NOTHING)])
    assert same.score == 1.0
