"""What an edit does to an earlier one of its definition: the same again, the same with other values, taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.hints import HintKind, HintOptions
from codewm_lsp.hints.repeats import Repeat, repeat_of
from codewm_lsp.hints.unlike import names_of_values, other_meaning
from codewm_lsp.history import EditKind
from codewm_lsp.index.dismissals import Dismissal, Scope
from codewm_lsp.source import DefinitionKind
from tests.hints.conftest import in_progress

OpenEngine = Callable[[Path], Any]


def limit(value: object) -> str:
    return f"def load(path):\n    limit = {value}\n    return read(path, limit)\n"


VERSION = "import os\n\n__version__ = '{0}'\nNAME = 'shop'\n"
FLAG = "def serve(app):\n    run(app, debug={0}, reload=True)\n"
ENTRIES = "NAMES = [\n{0}    'last',\n]\n"
TUPLE = "VERSION = (1, {0})\n"
NAMED = "def pay(order):\n    return send(order, {0}.total)\n"

ALIKE: dict[str, tuple[str, list[object]]] = {
    "a number": (limit("{0}"), [7, 8, 9]),
    "a number of other digits": (limit("{0}"), [0.5, 30, 1_000]),
    "a version": (VERSION, ["1.9.9", "1.10.0", "2.0.0"]),
    "a version of numbers": (TUPLE, ["9, 9", "10, 0", "10, 1"]),
    "a string": ("def url():\n    return join(BASE, '{0}')\n", ["v1", "v2/items", "v3"]),
    "a flag": (FLAG, [None, True, False]),
    "a name": (NAMED, ["cart", "basket", "bag"]),
    "an entry of a list": (ENTRIES, ["", "    'red',\n", "    'red',\n    'blue',\n"]),
    "an argument of a call": (
        "def options(parser):\n{0}    return parser\n",
        ["", "    parser.add('--jobs', 4)\n", "    parser.add('--jobs', 4)\n    parser.add('--wait', 30)\n"],
    ),
}


@pytest.mark.parametrize("what", ALIKE)
def test_an_edit_that_only_puts_in_other_values_repeats_the_earlier_one(what: str) -> None:
    text, values = ALIKE[what]
    first, second, third = (text.format(value) for value in values)
    assert repeat_of((second, third), (first, second)) is Repeat.ALIKE


UNLIKE: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "another line": ((limit(7), limit(8)), (limit(7), limit(7).replace("read(path, limit)", "read(path, 9)"))),
    "more than values": ((limit(7), limit(8)), (limit(8), limit("config.limit(path) + len(path)"))),
    "a line that is nothing but a value": (
        ("def f():\n    'One.'\n    return 1\n", "def f():\n    'Two.'\n    return 1\n"),
        ("def f():\n    'Two.'\n    return 1\n", "def f():\n    'Three.'\n    return 1\n"),
    ),
    "another statement added": (
        ("def f():\n    pass\n", "def f():\n    pass\n    start()\n    wait(3)\n"),
        ("def f():\n    pass\n", "def f():\n    pass\n    stop()\n    wait(3)\n"),
    ),
    "an import of something else": (
        ("import os\n", "import os\nimport re\n"),
        ("import os\n", "import os\nimport sys\n"),
    ),
    "comments alone": (("x = 1  # a\n", "x = 1  # b\n"), ("x = 1  # b\n", "x = 1  # c\n")),
    "nothing": (("x = 1\n", "x = 1\n"), ("x = 1\n", "x = 1\n")),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_an_edit_that_does_something_else_repeats_nothing(what: str) -> None:
    assert repeat_of(*UNLIKE[what]) is None


def test_the_same_edit_made_again_and_taken_back_are_told_from_each_other() -> None:
    assert repeat_of((limit(7), limit(8)), (limit(7), limit(8))) is Repeat.EXACTLY
    assert repeat_of((limit(8), limit(7)), (limit(7), limit(8))) is Repeat.UNDONE
    body = "def load(path):\n    first()\n    second()\n    third()\n    return path\n"
    assert repeat_of((body, limit(8)), (limit(8), body)) is Repeat.UNDONE
    commented = limit(8).replace("limit = 8", "limit = 8  # enough")
    assert repeat_of((limit(7), commented), (limit(7), limit(8))) is Repeat.EXACTLY


def test_a_long_edit_that_is_made_again_or_taken_back_is_told_by_what_it_puts_in() -> None:
    plain = 'def told(x):\n    if x is None:\n        return ""\n    return str(x)\n'
    typed = (
        'def told(x):\n    if x is None:\n        return ""\n    elif not isinstance(x, (str, int)):\n'
        '        raise TypeError(\n            f"Expected str. Got {type(x).__name__!r}."\n        )\n'
        '    text = """A\n    text of lines"""\n    return text or True\n'
    )
    assert repeat_of((plain, typed), (plain, typed)) is Repeat.EXACTLY
    assert repeat_of((typed, plain), (plain, typed)) is Repeat.UNDONE
    assert repeat_of((plain, typed.replace("Expected", "Wanted")), (plain, typed)) is None
    assert repeat_of((plain, typed.replace("isinstance", "issubclass")), (plain, typed)) is None


def raised(make_repository: Callable[..., Any]) -> Any:
    """A limit that is raised again and again, in two files at once."""
    repository = make_repository("raised")
    for value in range(9):
        other = limit(value).replace("load(path)", "store(path, data)").replace("read(path", "write(path, data")
        repository.commit(f"Raise limit to {value}", {"a.py": limit(value), "b.py": other})
    return repository


def test_edits_that_a_definition_had_before_lead_and_have_a_lens(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = raised(make_repository)
    engine = open_engine(repository.path)
    edit = in_progress(repository, "a.py", limit(9))
    found = engine.similar(edit, k=10)
    assert [(one.edit.path, one.edit.commit.subject) for one in found[:2]] == [
        ("a.py", "Raise limit to 8"),
        ("a.py", "Raise limit to 7"),
    ]
    assert [reason.words for reason in found[0].reasons] == ["the same lines, with other values"]
    assert [one.fact for one in found[:2]] == [True, True]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    (lens,) = engine.hints("a.py", limit(9), options=HintOptions(kinds=frozenset({HintKind.SIMILAR}))).items
    assert " 'Raise limit to 8' · " in lens.title
    assert lens.title.startswith("like ")


def test_an_edit_of_a_twin_leads_where_the_definition_itself_has_no_such_past(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    """The limit of another function was raised before, to another number."""
    repository = make_repository("twins")
    store = limit(7).replace("load(path)", "store(path, data)")
    files = {"a.py": limit(7), "b.py": store, "c.py": "def close(path):\n    path.limit = None\n"}
    repository.commit("Begin", files)
    repository.commit("Raise the limit of stores", {"b.py": store.replace("7", "8")})
    repository.commit("Close at once", {"c.py": "def close(path):\n    path.limit = 0\n    path.load()\n"})
    engine = open_engine(repository.path)
    first = engine.similar(in_progress(repository, "a.py", limit(9)), k=1)[0]
    assert (first.edit.path, first.edit.commit.subject) == ("b.py", "Raise the limit of stores")
    assert [reason.words for reason in first.reasons] == ["the same lines, with other values"]


def test_the_same_lines_of_another_definition_are_said_to_be(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = make_repository("twins")
    store = limit(7).replace("load(path)", "store(path, data)").replace("    return", "    wait()\n    return")
    repository.commit("Begin", {"a.py": limit(7), "b.py": store})
    repository.commit("Raise the limit of stores", {"b.py": store.replace("7", "8")})
    engine = open_engine(repository.path)
    first = engine.similar(in_progress(repository, "a.py", limit(8)), k=1)[0]
    assert first.edit.path == "b.py"
    assert first.score >= 0.98
    assert not first.fact


def test_an_edit_that_takes_the_last_one_back_is_said_to(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    engine = open_engine(raised(make_repository).path)
    only = HintOptions(kinds=frozenset({HintKind.SIMILAR}))
    (undone,) = engine.hints("a.py", limit(7), options=only).items
    assert undone.title.startswith("undoes ")
    assert " 'Raise limit to 8' · " in undone.title


def test_an_edit_that_is_made_again_leads_before_its_siblings(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    """Reverted, and made again: the first time leads, before what was changed beside it."""
    repository = make_repository("again")
    before, after = limit(7), limit(7).replace("read(path, limit)", "read(path, limit, timeout=TIMEOUT)")
    both = [{"a.py": text, "b.py": text.replace("load", "store")} for text in (before, after, before)]
    for subject, texts in zip(("Begin", "Give reads a timeout", "Revert timeouts"), both, strict=True):
        repository.commit(subject, texts)
    engine = open_engine(repository.path)
    edit = in_progress(repository, "a.py", after)
    found = engine.similar(edit, k=4)
    assert {one.edit.path for one in found[:3] if one.edit.commit.subject == "Give reads a timeout"} == {"a.py", "b.py"}
    own = {one.edit.commit.subject: one for one in found if one.edit.path == "a.py"}
    assert [reason.words for reason in own["Give reads a timeout"].reasons] == ["the same edit of this definition"]
    assert [reason.words for reason in own["Revert timeouts"].reasons] == ["your edit undoes it"]


def test_the_definitions_other_edits_stay_left_out(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = raised(make_repository)
    engine = open_engine(repository.path)
    edit = in_progress(
        repository, "a.py", limit(8).replace("read(path, limit)", "read(path, min(limit, ceiling(path)))")
    )
    assert "a.py" not in {one.edit.path for one in engine.similar(edit, k=0)}


def test_what_was_dismissed_is_not_shown_as_a_repeat(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = raised(make_repository)
    engine = open_engine(repository.path)
    edit = in_progress(repository, "a.py", limit(9))
    first = engine.similar(edit, k=1)[0].edit
    engine.index.dismissals.add(Dismissal(Scope.EDIT, first.commit.sha, first.path, first.definition))
    assert engine.similar(edit, k=1)[0].edit.commit.subject == "Raise limit to 7"


STRICT = "def pairs(names, ages{0}):\n    return zip(names, ages{1})\n"
PREFETCH = "def rows(query{0}):\n    return query.all({1})\n"

UNLIKE_MEANINGS: dict[str, tuple[str, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "a parameter and an argument": (STRICT, [("", ""), (", strict=False", "")], [("", ""), ("", ", strict=False")]),
    "a default and an argument": (
        PREFETCH,
        [(", lazy=False", "wide=False"), (", lazy=True", "wide=False")],
        [(", lazy=False", "wide=False"), (", lazy=False", "wide=True")],
    ),
}


@pytest.mark.parametrize("what", UNLIKE_MEANINGS)
@pytest.mark.parametrize("turned", [False, True])
def test_the_same_words_in_another_kind_of_change_mean_something_else(what: str, turned: bool) -> None:
    text, *edits = UNLIKE_MEANINGS[what]
    now, past = ((text.format(*was), text.format(*is_now)) for was, is_now in (edits[::-1] if turned else edits))
    assert other_meaning(now, past)
    assert not other_meaning(now, now)
    assert not other_meaning(past, past)


@pytest.mark.parametrize("text", ["def rows({0}):\n    return 1\n", "def rows(query):\n    return query.all({0})\n"])
def test_a_value_of_another_name_is_another_edit(text: str) -> None:
    def turned(name: str) -> tuple[str, str]:
        return text.format(f"{name}=False"), text.format(f"{name}=True")

    assert other_meaning(turned("follow"), turned("prefetch"))
    assert not other_meaning(turned("follow"), turned("follow"))


def test_the_name_of_a_value_is_not_its_type() -> None:
    assert names_of_values("def f(wait: int = 1): ...", "def f(wait: int = 2): ...") == {"wait"}
    assert not names_of_values("wait = 1", "wait = 1 + 1")


def test_a_default_of_a_function_is_not_said_to_be_like_another_one_of_a_method(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = make_repository("defaults")
    method = (
        "class Pool:\n    def __init__(self, url, fallback={0}):\n        self.url, self.fallback = url, fallback\n"
    )
    function = "def remove(path, force: bool = {0}):\n    return unlink(path, force)\n"
    repository.commit("Begin", {"a.py": function.format(False), "b.py": method.format(False)})
    repository.commit("Fall back", {"b.py": method.format(True)})
    engine = open_engine(repository.path)
    only = HintOptions(kinds=frozenset({HintKind.SIMILAR}))
    found = engine.similar(in_progress(repository, "a.py", function.format(True)))
    assert max((one.score for one in found), default=0.0) < only.similar_threshold


@pytest.mark.parametrize("calls", [1, 8], ids=["a commit that is soon read", "a large commit"])
def test_a_parameter_is_not_said_to_be_like_arguments_however_many_a_commit_gave_to_calls(
    calls: int, make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    """Nor the other way round."""
    repository = make_repository("strict")
    of_file = ["\n\n".join(f"def pairs{n}(names, ages):\n    return zip(names, ages{{0}})\n" for n in range(calls))]
    many = of_file * 12
    one = "def pair(names, ages{0}):\n    return sorted(zip(ages, names))\n"
    files = {f"m{n}.py": text.format("") for n, text in enumerate(many)}
    repository.commit("Begin", {**files, "a.py": one.format("")})
    repository.commit("Zip strictly", {f"m{n}.py": text.format(", strict=False") for n, text in enumerate(many)})
    repository.commit("Note", {"note.py": "x = 1\n"})
    engine = open_engine(repository.path)
    only = HintOptions(kinds=frozenset({HintKind.SIMILAR}))
    edit = in_progress(repository, "a.py", one.format(", strict=False"))
    assert max(found.score for found in engine.similar(edit)) < only.similar_threshold
    assert not engine.hints("a.py", one.format(", strict=False"), options=only).items
    call = one.format("").replace("zip(ages, names)", "zip(ages, names, strict=False)")
    assert engine.similar(in_progress(repository, "a.py", call), k=1)[0].score > only.similar_threshold


def test_an_import_alone_is_like_nothing_and_undoes_nothing(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = make_repository("imports")
    body = "\n\ndef load(path):\n    return path\n"
    repository.commit("Begin", {"a.py": f"import os\nimport sys{body}", "b.py": f"import os{body}"})
    repository.commit("Drop support for Python 3.7", {"a.py": f"import os{body}"})
    repository.commit("Read the platform", {"b.py": f"import os\nimport sys{body}"})
    engine = open_engine(repository.path)
    only = HintOptions(kinds=frozenset({HintKind.SIMILAR}))
    assert not engine.similar(in_progress(repository, "a.py", f"import os\nimport sys{body}"))
    assert not engine.hints("a.py", f"import os\nimport sys{body}", options=only).items


def test_an_import_alone_is_not_like_an_edit_of_a_function_that_uses_the_name(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    """The commit's other edit, in which the name is used, is."""
    repository = make_repository("cast")
    text = "import os\n{0}\n\ndef read_{1}(options):\n    return sorted({2})\n"
    begun = {f"{name}.py": text.format("", name, "options") for name in "abc"}
    repository.commit("Begin", begun)
    for name in "bc":
        cast = text.format("from typing import cast\n", name, "cast('set[str]', options)")
        repository.commit(f"Cast the options of {name}", {f"{name}.py": cast})
    repository.commit("Use cast in d", {"d.py": "from typing import cast\n"})
    repository.commit("Import it anew", {"d.py": "import os\nfrom typing import cast\n"})
    engine = open_engine(repository.path)
    edit = in_progress(repository, "a.py", text.format("", "a", "cast('set[str]', options)"))
    found = engine.similar(edit, k=3)
    assert {(one.edit.path, one.edit.definition) for one in found[:2]} == {("b.py", "read_b"), ("c.py", "read_c")}
    modified = [one.edit for one in engine.similar(edit, k=0) if one.edit.kind is EditKind.MODIFIED]
    assert not [one for one in modified if one.definition_kind is DefinitionKind.MODULE]


def test_several_imports_are_like_those_of_the_same_names(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = make_repository("imports")
    body = "\n\ndef load(path):\n    return path\n"
    both = "import os\nfrom collections.abc import Iterable, Mapping"
    repository.commit("Begin", {f"{name}.py": f"import os{body}" for name in "abc"})
    repository.commit("Annotate b", {"b.py": both + body})
    repository.commit("Annotate c", {"c.py": both.replace("Mapping", "Sequence") + body})
    engine = open_engine(repository.path)
    found = engine.similar(in_progress(repository, "a.py", both + body))
    assert [one.edit.path for one in found if one.edit.commit.subject != "Begin"] == ["b.py"]


def test_an_edit_of_two_values_is_alike_one_of_a_single_value_in_such_a_line() -> None:
    text = "def load(rows):\n    rows.append(77)\n    wait()\n    rows.append(99)\n"
    once = text, text.replace("77", "78")
    both = text, text.replace("77", "76").replace("99", "98")
    assert repeat_of(both, once) is Repeat.ALIKE
    other = text.replace("wait()", "wait(1)")
    more = other, other.replace("77", "76").replace("wait(1)", "wait(2)")
    assert repeat_of(more, once) is None, "one of its lines is another"


def test_an_earlier_edit_of_a_very_long_definition_is_found_again(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    def load(value: int) -> str:
        lines = "".join(f"    rows.append({number} + shift)\n" for number in range(5_000))
        return f"def load(rows, shift):\n    limit = {value}\n{lines}"

    repository = make_repository("long")
    for value in (7, 8):
        repository.commit(f"Raise limit to {value}", {"a.py": load(value)})
    engine = open_engine(repository.path)
    found = engine.similar(in_progress(repository, "a.py", load(9)), k=1)
    assert [one.edit.commit.subject for one in found] == ["Raise limit to 8"]
    assert [reason.words for reason in found[0].reasons] == ["the same lines, with other values"]
