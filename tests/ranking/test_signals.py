"""Signals: one object each, in one registry, none of which depends on another's having been computed."""

from __future__ import annotations

import gc
import random
import weakref
from dataclasses import replace

import numpy as np
import pytest

from codewm_lsp.history import Edit, EditKind
from codewm_lsp.ranking import ranker as ranker_module
from codewm_lsp.ranking.boosted_trees import NO_TREES, Split, Trees
from codewm_lsp.ranking.candidate import called
from codewm_lsp.ranking.co_change import Changes
from codewm_lsp.ranking.corpus import Corpus, Vocabulary, parse_file
from codewm_lsp.ranking.edit_context import EditContext
from codewm_lsp.ranking.ranker import UNSAID, Ranker, log_odds
from codewm_lsp.ranking.ranker_file import shipped_ranker
from codewm_lsp.ranking.reasons import reasons_next
from codewm_lsp.ranking.signal import Explanation, Level, Signal, Unexplained
from codewm_lsp.ranking.signals import DEFINITION_SIGNALS, EXPLANATIONS, FILE_SIGNALS, registry
from codewm_lsp.ranking.state import State
from codewm_lsp.ranking.values import signals_of
from codewm_lsp.source import DefinitionKind

FILES = {
    "shop/client.py": '"""Clients."""\n\nimport os\n\n\nclass Client:\n    def __init__(self):\n'
    "        self.open = True\n\n"
    "    def get(self, url):\n        return fetch(url, retries=3)\n\n    def put(self, url):\n"
    "        return send(url, retries=3)\n\n\ndef fetch(url, retries):\n    return os.read(url)\n",
    "shop/server.py": "from shop.client import Client\n\n\ndef serve(client):\n    return client.get('/')\n",
    "tests/test_client.py": "from shop.client import Client\n\n\ndef test_get():\n    assert Client().get('x')\n",
}
EDIT = Edit(
    *("shop/client.py", "Client.get", DefinitionKind.METHOD, EditKind.MODIFIED),
    "    def get(self, url):\n        return fetch(url, retries=3)\n",
    "    def get(self, url, timeout):\n        return fetch_within(url, self.limit, timeout)\n",
    *(9, None, None),
)
REMOVED = Edit(*("gone.py", "f", DefinitionKind.FUNCTION, EditKind.REMOVED), "x = 1", "", *(0, None, None))


def state_of(files: dict[str, str]) -> State:
    vocabulary = Vocabulary()
    names = [("shop/client.py", "Client.get"), ("tests/test_client.py", "test_get"), ("shop/client.py", "fetch")]
    changes = Changes(names, np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 2, 0, 1, 2]))
    return State.of(
        Corpus.of({path: parse_file(text, vocabulary) for path, text in files.items()}, vocabulary), changes
    )


@pytest.mark.parametrize(
    "text",
    [
        '    def fetch(url):\n        """Coerce it as JSON."""\n        return fetch(url)\n',
        "    def fetch(url):\n        # alpn matters\n        warn('removed soon')\n",
        "    def fetch(url, alpn=None):\n        return [item for item in url if alpn]\n",
        '    def fetch(url):\n        """Ensure it doesn\'t end with\n        a backslash, as in issue #1893:\n\n',
        '    def fetch(url):\n        warn("some words here\n        return url\n',
        "    def fetch(url):\n        import json\n\n        reply = json.loads(url)\n        return reply.elapsed\n",
    ],
)
def test_only_a_name_that_is_read_and_bound_nowhere_is_new_to_a_file(text: str) -> None:
    added = replace(EDIT, definition="Client.fetch", kind=EditKind.ADDED, before="", after=text)
    edit = EditContext(state_of(FILES), added)
    assert edit.own_file is not None
    assert set(edit.own_file.unknown) <= {"warn"}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("edit", [EDIT, REMOVED])
def test_a_signal_is_the_same_whichever_was_computed_before(seed: int, edit: Edit) -> None:
    together = EditContext(state_of(FILES), edit)
    signals = [*DEFINITION_SIGNALS.values(), *FILE_SIGNALS.values()]
    random.Random(seed).shuffle(signals)
    for signal in signals:
        alone = signal.values(EditContext(state_of(FILES), edit))
        corpus = together.corpus
        assert alone.shape == ((len(corpus),) if signal.level is Level.DEFINITION else (len(corpus.paths),))
        assert alone.dtype == np.float32
        assert np.isfinite(alone).all()
        assert signal.values(together).tobytes() == alone.tobytes(), signal.name


def test_a_signal_nobody_asks_about_is_not_computed() -> None:
    values = signals_of(state_of(FILES), EDIT)
    assert len(values.files) == len(FILE_SIGNALS)
    values.definitions["size"]
    assert not {"gone", "fresh", "own_file", "with_definitions"} & set(values.edit.__dict__)
    assert values.definitions["gone"] is values.definitions["gone"]
    assert "gone" in values.edit.__dict__


def test_a_signal_without_words_is_not_built() -> None:
    with pytest.raises(TypeError, match="thickness has no words"):
        Signal(Level.FILE, "thickness", lambda edit: edit.corpus.size, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reason"):
        Unexplained("")
    with pytest.raises(ValueError, match="no name"):
        Signal(Level.FILE, "best:size", lambda edit: edit.corpus.size, Unexplained("it is a size"))


def test_two_signals_of_a_level_do_not_share_a_name() -> None:
    size = DEFINITION_SIGNALS["size"]
    with pytest.raises(ValueError, match="called size"):
        registry([size, size], Level.DEFINITION)
    assert registry([size], Level.FILE) == {}


def test_one_explanation_has_one_name() -> None:
    said = {
        signal.explanation
        for signal in (*DEFINITION_SIGNALS.values(), *FILE_SIGNALS.values())
        if isinstance(signal.explanation, Explanation)
    }
    assert len({explanation.name for explanation in said}) == len(said)
    assert "model" not in {explanation.name for explanation in said}


def test_explanations_say_what_their_signals_saw() -> None:
    values = signals_of(state_of(FILES), EDIT)
    corpus = values.edit.corpus

    def said(path: str, name: str) -> dict[str, str]:
        file = corpus.number[path]
        row = next(row for row in range(*corpus.first[file : file + 2]) if corpus.names[row] == name)
        candidate = values.candidate(row)
        found = (signal.explanation for signal in (*DEFINITION_SIGNALS.values(), *FILE_SIGNALS.values()))
        return {one.name: one.say(candidate) for one in found if isinstance(one, Explanation)}

    test = said("tests/test_client.py", "test_get")
    assert test["counterpart"] == "tests client.py"
    assert test["imports"] == "imports client.py"
    assert test["coupling"] == "changed together with get twice"
    assert test["recency"] == "changed in the last commit"
    assert "frequency" not in test, "that it changes often is no reason"
    assert test["mentions"] == "uses get"
    put = said("shop/client.py", "Client.put")
    assert put["near"] == "next to get"
    assert put["gone"] == "still mentions retries"
    assert put["coupling"] == ""
    assert said("shop/client.py", "Client.__init__")["needs"] == "get uses a new attribute"
    assert (
        said("shop/client.py", "<module>")["needs"]
        == "get uses fetch_within, which is not defined here (a linter would catch this)"
    )
    fetch = said("shop/client.py", "fetch")
    assert fetch["named"] == "named in the change to get"
    assert fetch["gone"] == "still mentions retries"  # and not itself, which the edit no longer mentions either


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        ("b1, a1", "a1 and b1, which are"),
        ("b1, a1, c1", "a1, b1 and c1, which are"),
        ("b1, a1, c1, e1, d1", "a1, b1, c1 and 2 more, which are"),
    ],
)
def test_up_to_three_undefined_names_are_named(uses: str, said: str) -> None:
    values = signals_of(state_of(FILES), replace(EDIT, after=f"def get(self):\n    return {uses}\n"))
    corpus = values.edit.corpus
    file = corpus.number["shop/client.py"]
    row = next(row for row in range(*corpus.first[file : file + 2]) if corpus.names[row] == "<module>")
    explanation = DEFINITION_SIGNALS["unresolved_names"].explanation
    assert isinstance(explanation, Explanation)
    assert explanation.say(values.candidate(row)) == f"get uses {said} not defined here (a linter would catch this)"


def test_what_stands_in_an_import_alone_is_not_mentioned() -> None:
    gone = replace(EDIT, before="def f():\n    return annotations(Event, LIMIT)\n", after="def f():\n    return 1\n")
    top = "from __future__ import annotations\n\nfrom threading import (\n    Event,\n)\n\nLIMIT = 3\n"
    other = "from shop.client import get\n\n\ndef g():\n    return get()\n"
    values = signals_of(state_of(FILES | {"shop/top.py": top, "shop/other.py": other}), gone)
    corpus = values.edit.corpus

    def said(path: str, text: str) -> dict[str, str]:
        candidate = values.candidate(int(corpus.first[corpus.number[path]]), text)
        found = (signal.explanation for signal in DEFINITION_SIGNALS.values())
        return {one.name: one.say(candidate) for one in found if isinstance(one, Explanation)}

    assert said("shop/top.py", top)["gone"] == "still mentions LIMIT"
    assert said("shop/other.py", other.partition("def")[0])["mentions"] == ""


def test_a_name_that_nothing_uses_any_more_is_said_to_be_what_a_linter_would_catch_where_it_is_imported() -> None:
    def said(top: str) -> str:
        text = top + "\n\ndef f():\n    return 1\n\n\ndef g():\n    return 2\n"
        edit = Edit(
            *("shop/new.py", "f", DefinitionKind.FUNCTION, EditKind.MODIFIED),
            "def f():\n    return Event()\n",
            *("def f():\n    return 1\n", 4, None, None),
        )
        values = signals_of(state_of(FILES | {"shop/new.py": text}), edit)
        row = int(values.edit.corpus.first[values.edit.corpus.number["shop/new.py"]])
        needs = DEFINITION_SIGNALS["unused_names"].explanation
        assert isinstance(needs, Explanation)
        return needs.say(values.candidate(row, top))

    assert said("from threading import Event\n") == "nothing here uses Event any more (a linter would catch this)"
    assert said("Event = object\n") == "nothing here uses Event any more"


def test_a_place_in_the_file_whose_top_level_is_edited_is_not_said_to_go_with_its_own_file() -> None:
    edit = replace(
        EDIT,
        definition="<module>",
        definition_kind=DefinitionKind.MODULE,
        before="import os\n\nretries = 3\n",
        after="import os\n\nretries = 4\n",
    )
    values = signals_of(state_of(FILES), edit)
    corpus = values.edit.corpus
    inside = values.candidate(corpus.names.index("Client.get"))
    assert inside.edited == "this file's module level"
    assert values.candidate(corpus.names.index("serve")).edited == "client.py"
    near = DEFINITION_SIGNALS["steps"].explanation
    assert isinstance(near, Explanation)
    assert near.say(inside) == "", "all definitions stand beside the module level"


def test_a_definition_is_not_said_to_be_like_the_code_outside_of_all_definitions() -> None:
    likeness = DEFINITION_SIGNALS["similarity"].explanation
    assert isinstance(likeness, Explanation)
    words = "def pay(order, retries):\n    return send(order, retries)\n"
    texts = {"shop/pay.py": f"pay(order, retries)\nsend(order, retries)\n\n\n{words}"}
    texts["shop/refund.py"] = words.replace("pay", "refund")
    edit = replace(EDIT, path="shop/pay.py", definition="pay", before=words, after=words.replace("send(", "send_all("))
    values = signals_of(state_of(texts), edit)
    names = values.edit.corpus.names
    assert likeness.say(values.candidate(names.index("refund"))).endswith(" % similar to pay")
    top = values.candidate(names.index("<module>"))
    assert top.value("similarity") >= 0.4
    assert likeness.say(top) == ""


def test_what_is_plain_to_see_comes_after_what_has_to_do_with_the_edit() -> None:
    ranker = replace(shipped_ranker(), definition={"always": {"steps": 9.0, "gone": 1.0}}, definition_trees=NO_TREES)
    values = signals_of(state_of(FILES), EDIT)
    row = values.edit.corpus.names.index("Client.put")
    said = [reason.words for reason in reasons_next(values, row, ranker)]
    assert said == ["still mentions retries", "next to get"]


def test_the_past_of_a_file_is_not_told_as_that_of_a_definition() -> None:
    def asking(signal: str) -> Ranker:
        trees = Trees((signal,), (Split(0, 0.01, -1.0, -3.0, 4.0),))
        return replace(shipped_ranker(), definition={}, file={}, file_trees=trees)

    values = signals_of(state_of(FILES), EDIT)
    row = values.edit.corpus.names.index("test_get")
    assert values.files["recency"][values.edit.corpus.file[row]] > 0.01, "the trees speak for the file"
    (only,) = reasons_next(values, row, asking("recency"))
    assert (only.name, only.value) == ("coupling", 0.0), "true of it, though not what spoke for it"
    assert [reason.name for reason in reasons_next(values, row, asking("best:recency"))] == ["recency"]


def test_a_state_that_is_no_longer_asked_is_freed_at_once() -> None:
    state = state_of(FILES)
    values = signals_of(state, EDIT)
    for name in values.definitions:
        values.definitions[name]
    corpus = weakref.ref(state.corpus)
    gc.disable()  # which would free it in the end, too: a large one must not wait for that
    try:
        del state, values
        assert corpus() is None
    finally:
        gc.enable()


def told(files: dict[str, str], edit: Edit, place: tuple[str, str], moved: str = "") -> dict[str, str]:
    """Everything that can be said of a definition after an edit."""
    values = signals_of(state_of(FILES | files), edit)
    corpus = values.edit.corpus
    file = corpus.number[place[0]]
    row = next(row for row in range(*corpus.first[file : file + 2]) if corpus.names[row] == place[1])
    candidate = values.candidate(row, moved=moved)
    return {one.name: one.say(candidate) for one in EXPLANATIONS}


def function(name: str, *body: str) -> str:
    return f"def {name}(order):\n" + "".join(f"    {line}\n" for line in body)


def changed(before: str, after: str, kind: EditKind = EditKind.MODIFIED) -> Edit:
    place = ("shop/orders.py", "ship", DefinitionKind.FUNCTION, kind)
    return Edit(*place, before, after, *(0, None, None))


def test_numbers_the_languages_own_words_and_common_words_are_no_reason() -> None:
    def said(before: str, after: str, other: str) -> str:
        edit = changed(function("ship", before), function("ship", after))
        many = "\n\n".join(function(f"f{n}", "quickly(order)") for n in range(40))
        files = {"shop/orders.py": edit.after, "shop/other.py": function("hold", other), "shop/many.py": many}
        return told(files, edit, ("shop/other.py", "hold"))["gone"]

    assert said("return carrier(45)", "return 1", "return carrier(45)") == "still mentions carrier"
    assert said("return isinstance(order, 45) if order else 0", "return 1", "x = isinstance(order, 45) or 0") == ""
    assert said("quickly(order)", "return 1", "quickly(order)") == ""


def test_words_that_hold_any_sentence_together_are_no_reason() -> None:
    edit = changed('return "The carrier was late"', "return 1")
    files = {"shop/orders.py": edit.after, "shop/other.py": function("hold", 'return "The parcel was lost"')}
    assert told(files, edit, ("shop/other.py", "hold"))["gone"] == ""
    files["shop/other.py"] = function("hold", 'return "The carrier was lost"')
    assert told(files, edit, ("shop/other.py", "hold"))["gone"] == "still mentions carrier"


def test_what_moved_with_a_renamed_definition_is_no_reason() -> None:
    body = ("carrier = nearest_carrier(order)", "return carrier.price(order)")
    removed = changed(function("ship", *body), "", EditKind.REMOVED)
    files = {"shop/orders.py": function("send_out", *body), "shop/other.py": function("hold", *body)}
    place = ("shop/other.py", "hold")
    assert told(files, removed, place)["gone"].startswith("still mentions ")
    assert told(files, removed, place)["lines"] == "has a line that changed in ship"
    kept = told(files, removed, place, moved=function("send_out", *body))
    assert (kept["gone"], kept["lines"]) == ("", "")
    part = told(files, removed, place, moved=function("send_out", body[0], "return carrier.cost(order)"))
    assert (part["gone"], part["lines"]) == ("still mentions price", "has a line that changed in ship")


@pytest.mark.parametrize("line", ["return {}", "return None", "if True:", "except ValueError:", "return len(x) == 45"])
def test_a_line_that_says_nothing_by_itself_is_no_reason(line: str) -> None:
    edit = changed(function("ship", line), function("ship", "pass"))
    files = {"shop/orders.py": edit.after, "shop/other.py": function("hold", line)}
    assert told(files, edit, ("shop/other.py", "hold"))["lines"] == ""


def test_where_nothing_that_spoke_for_a_place_can_be_told_the_best_that_is_true_is() -> None:
    silent = replace(shipped_ranker(), definition={}, file={}, definition_trees=NO_TREES, file_trees=NO_TREES)
    edit = changed(function("ship", "return 12"), function("ship", "return 13"))
    files = {"shop/orders.py": edit.after + "\n\n" + "X = 1\n\n\n" * 30 + "def weigh():\n    return 1\n"}

    def said(edit: Edit, path: str, name: str) -> list[str]:
        values = signals_of(state_of(FILES | files), edit)
        corpus = values.edit.corpus
        (row,) = (r for r in range(len(corpus)) if (corpus.paths[corpus.file[r]], corpus.names[r]) == (path, name))
        return [reason.words for reason in reasons_next(values, row, silent)]

    assert said(EDIT, "tests/test_client.py", "test_get") == ["changed together with get twice"]
    assert said(edit, "shop/orders.py", "<module>") == ["in the same file as the edit"]
    assert said(edit, "shop/server.py", "serve") == []


def test_a_call_that_moved_with_a_renamed_definition_does_not_name_what_it_calls() -> None:
    removed = changed(function("ship", "return weigh_parcel(order)"), "", EditKind.REMOVED)
    new = function("send_out", "return weigh_parcel(order)")
    files = {"shop/orders.py": new + "\n\n" + function("weigh_parcel", "return 1")}
    place = ("shop/orders.py", "weigh_parcel")
    assert told(files, removed, place)["named"] == "named in the change to ship"
    assert told(files, removed, place, moved=new)["named"] == ""


def test_a_file_is_not_said_to_have_changed_together_with_itself() -> None:
    assert told({}, EDIT, ("shop/client.py", "fetch"))["file_coupling"] == ""
    assert told({}, EDIT, ("tests/test_client.py", "test_get"))["file_coupling"] == "their files changed together twice"


def test_the_top_level_of_the_file_is_less_likely_where_nothing_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever changed lately: an edit that needs nothing from there does not lead there."""
    state = state_of(FILES)
    whole = replace(EDIT, after=EDIT.before.replace("3", "4"))
    needs = replace(EDIT, after=EDIT.before.replace("fetch(", "retrieve("))
    file = state.corpus.number["shop/client.py"]
    top = int(state.corpus.first[file]) + state.corpus.names[state.corpus.first[file] :].index("<module>")

    def lost(edit: Edit) -> dict[int, float]:
        found = []
        for times in (1.0, UNSAID):
            monkeypatch.setattr(ranker_module, "UNSAID", times)
            found.append(log_odds(state, edit, signals_of(state, edit), shipped_ranker()))
        return {row: float(less) for row, less in enumerate(found[0] - found[1]) if less}

    assert lost(whole) == {top: pytest.approx(np.log(UNSAID))}
    assert lost(needs) == {}


def test_a_name_in_a_comment_or_of_the_file_s_own_is_not_used() -> None:
    files = {
        **FILES,
        "shop/cart.py": "from shop.client import fetch\n\n\ndef total(url):\n    # as fetch does it\n    return url\n",
        "shop/own.py": "def fetch(url):\n    return url\n\n\ndef total(url):\n    return fetch(url)\n",
        "shop/user.py": "from shop.client import fetch\n\n\ndef total(url):\n    return fetch(url, 3)\n",
    }
    state = state_of(files)
    edit = Edit(
        *("shop/client.py", "fetch", DefinitionKind.FUNCTION, EditKind.MODIFIED),
        *("def fetch(url, retries):\n    return os.read(url)\n", "def fetch(url, tries):\n    return os.open(url)\n"),
        *(16, None, None),
    )
    signals = signals_of(state, edit)

    def uses(path: str) -> bool:
        row = int(state.corpus.first[state.corpus.number[path]])
        row += state.corpus.names[row:].index("total")
        text = files[path][files[path].index("def total") :]
        return signals.candidate(row, text, "").uses("fetch")

    assert not uses("shop/cart.py")
    assert not uses("shop/own.py")
    assert uses("shop/user.py")


@pytest.mark.parametrize(
    ("definition", "several", "name"),
    [
        ("Client.get", False, "get"),
        ("Client.get", True, "Client.get"),
        ("Client.__init__", False, "Client.__init__"),
        ("api.Client.get#2", True, "Client.get"),
        ("get", True, "get"),
        ("<module>", True, "client.py"),
    ],
)
def test_a_method_is_told_with_its_class_where_its_name_is_not_its_own(
    definition: str, several: bool, name: str
) -> None:
    assert called(definition, "shop/client.py", several=several) == name
