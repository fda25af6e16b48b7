"""Definitions that a change leaves broken are named with their file, without an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.hints.forgotten import MOST_BROKEN, Forgotten, Looked, forgotten
from codewm_lsp.history import Repository
from codewm_lsp.source import MODULE_NAME

LIBRARY = "def send(url):\n    return url\n\n\ndef other():\n    return 0\n"
CALLER = "from library import send\n\n\ndef fetch():\n    return send('a')\n\n\ndef rest():\n    return 1\n"
BEFORE = 60  # commits, so that the history is long enough to be asked


@pytest.fixture
def library(make_repository: Any) -> Any:
    repository = make_repository("library")
    first = [("Begin", {"library.py": LIBRARY, "notes.md": "send\n"}), ("Fetch", {"caller.py": CALLER})]
    repository.commit_many([*first, *((f"Note {n}", {"log.txt": f"{n}\n"}) for n in range(BEFORE))])
    return repository


def asked(path: Path, **more: Any) -> Forgotten:
    with Repository.open(path) as repository:
        return forgotten(repository, **more)


def broken(found: Forgotten) -> list[tuple[str, str, int, str]]:
    return [(one.path, it.definition, it.line, it.reason) for one in found.missing for it in one.definitions]


def test_a_caller_that_lacks_a_new_parameter_is_named_with_its_line_and_reason(library: Any) -> None:
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    found = asked(library.path)
    assert broken(found) == [("caller.py", "fetch", 4, "calls `send`: does not pass `timeout`, which is now required")]
    (one,) = found.missing
    assert one.chance == pytest.approx(0.9)
    assert one.of == 0, "no commit speaks for it"


def test_a_user_of_a_name_that_is_gone_is_named(library: Any) -> None:
    library.write("library.py", LIBRARY.replace("def send", "def post"))
    reasons = {definition: reason for _, definition, _, reason in broken(asked(library.path))}
    assert reasons["fetch"] == "still uses `send`, which was renamed to `post`"


@pytest.mark.parametrize(
    "user",
    [
        "import shop\n\n\ndef test_it():\n    assert shop.utils._short('a')\n",
        "import shop.utils\n\n\ndef test_it():\n    assert shop.utils._short('a')\n",
        "from shop import utils\n\n\ndef test_it():\n    assert utils._short('a')\n",
        "from shop.utils import _short\n\n\ndef test_it():\n    assert _short('a')\n",
        "import shop as s\n\n\ndef test_it():\n    assert s.utils._short('a')\n",
    ],
)
def test_a_user_that_reaches_a_name_through_its_package_is_named(library: Any, user: str) -> None:
    """The file of the package itself does not have the name."""
    utils = "def _short(text):\n    return text\n"
    files = {"src/shop/__init__.py": "from . import utils\n", "src/shop/utils.py": utils, "tests/test_it.py": user}
    library.commit("Shop", files)
    library.write("src/shop/utils.py", utils.replace("_short", "_brief"))
    found = broken(asked(library.path))
    assert ("test_it", "still uses `_short`, which was renamed to `_brief`") in {
        (name, reason) for _, name, _, reason in found
    }
    assert {path for path, _, _, _ in found} == {"tests/test_it.py"}


def test_an_import_on_the_first_line_is_where_to_look_and_not_the_list_of_what_is_exported(library: Any) -> None:
    library.commit("Export", {"shop.py": 'from library import send\n\n__all__ = ["send"]\n'})
    library.write("library.py", LIBRARY.replace("def send", "def post"))
    found = {path: (line, reason) for path, _, line, reason in broken(asked(library.path, threshold=0.5))}
    assert found["shop.py"] == (0, "imports `send`, which was renamed to `post` (a linter would catch this)")


@pytest.mark.parametrize(
    ("user", "line"),
    [
        ('def user(y):\n    """It has a docstring."""\n    return has(y)\n', 2),
        ("def user(y):\n    # has it?\n    print('has')\n    return has(y)\n", 3),
        ("def user(y):\n    y.has = 1\n    return has(y)\n", 2),
        ("def user(y):\n    print(has=1)\n    return has(y)\n", 2),
        ("def user(y):\n    found = [has for has in y]\n    return has(found)\n", 2),
        ("def user(y):\n    y(\n        has\n    )\n    return has(y)\n", 2),
        ("def user(y):\n    value = y if y else has\n    return value\n", 1),
        ("@y\n@has\ndef user(y: has):\n    return has(y)\n", 1),
        ("def user(y):\n    def inner():\n        return 'has'\n\n    # has\n\n    return has(inner)\n", 6),
        ("class Outer:\n    def user(self):\n        'has'\n\n    # has\n\n    kept = has\n", 6),
    ],
)
def test_the_line_is_that_of_the_first_use_and_not_of_a_word_spelt_like_it(
    make_repository: Any, user: str, line: int
) -> None:
    repository = make_repository("words")
    library = "def has(x):\n    total = x + 1\n    return total * 2\n"
    repository.commit("Begin", {"words.py": f"{library}\n\n{user}"})
    repository.write("words.py", f"{library.replace('has', 'holds')}\n\n{user}")
    ((path, _, found, reason),) = broken(asked(repository.path))
    assert (path, found - 5) == ("words.py", line)
    assert reason == "still uses `has`, which was renamed to `holds`"


def test_the_line_of_a_call_is_that_of_the_one_that_no_longer_fits(library: Any) -> None:
    calls = "from library import send\n\n\ndef fetch():\n    send('a', timeout=1)\n    # send\n    return send('b')\n"
    library.commit("Call", {"caller.py": calls})
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    ((_, definition, line, reason),) = broken(asked(library.path))
    assert (definition, line) == ("fetch", 6), "the first passes it, and the next is a comment"
    assert reason == "calls `send`: does not pass `timeout`, which is now required"


def test_what_a_change_breaks_is_named_however_short_the_history_is(make_repository: Any) -> None:
    repository = make_repository("short")
    repository.commit("Begin", {"library.py": LIBRARY, "user.py": "import library\n\nlibrary.send(1)\n"})
    repository.write("library.py", LIBRARY.replace("def send", "def post"))
    found = asked(repository.path)
    assert [(path, reason) for path, _, _, reason in broken(found)] == [
        ("user.py", "still uses `send`, which was renamed to `post`")
    ]
    assert (found.silent, found.commits) == ("", 1)


def test_the_line_is_that_of_the_use_in_the_definition_itself(library: Any) -> None:
    inner = "\x0c\n    def inner():\n        return send('a')\n\n    inner()\n    return send('b')\n"
    library.commit("Nest", {"nested.py": f"from library import send\n\n\ndef outer():\n{inner}"})
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    lines = {definition: line for path, definition, line, _ in broken(asked(library.path)) if path == "nested.py"}
    assert lines == {"outer": 9, "outer.inner": 6}


def test_every_file_that_a_change_leaves_broken_is_named(library: Any) -> None:
    library.commit("Add callers", {f"caller_{n}.py": CALLER for n in range(24)})
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    found = asked(library.path)
    assert len(found.missing) == MOST_BROKEN == 20
    assert found.more == 5


def test_a_change_that_follows_is_left_alone(library: Any) -> None:
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    library.write("caller.py", CALLER.replace("send('a')", "send('a', 5)"))
    assert not broken(asked(library.path))


def test_what_is_staged_counts_and_not_what_is_only_in_the_file(library: Any) -> None:
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    library.git("add", "library.py")
    library.write("library.py", LIBRARY)
    assert broken(asked(library.path, looked=Looked.STAGED))


def test_a_place_in_a_file_of_the_change_is_named_too(library: Any) -> None:
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    library.write("caller.py", CALLER.replace("return 1", "return 2"))
    assert [row[:2] for row in broken(asked(library.path))] == [("caller.py", "fetch")]


def test_a_branch_is_asked_by_its_commits(library: Any) -> None:
    base = library.head()
    library.commit("Change", {"library.py": LIBRARY.replace("send(url)", "send(url, timeout)")})
    assert [row[:2] for row in broken(asked(library.path, diff=f"{base}...HEAD"))] == [("caller.py", "fetch")]


def test_a_place_less_sure_than_the_threshold_is_not_named(library: Any) -> None:
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout)"))
    assert not broken(asked(library.path, threshold=0.95))


def test_names_that_look_like_options_or_patterns_are_looked_up_as_they_are(library: Any) -> None:
    odd = "def größe(url):\n    return url\n"
    library.commit("Add", {"odd.py": odd, "user.py": "from odd import größe\n\n\ndef f():\n    return größe(1)\n"})
    library.write("odd.py", odd.replace("(url)", "(url, more)"))
    assert [row[:2] for row in broken(asked(library.path))] == [("user.py", "f")]


OVERLOADS = """\
from typing import overload


@overload
def send(url: str, more: int) -> str: ...


@overload
def send(url: int) -> int: ...


"""
OWN = """\
from base import Base


class Own(Base):
    def fetch(self):
        return 2

    def call(self):
        return self.fetch()
"""


def test_overloads_are_no_new_signature(library: Any) -> None:
    library.write("library.py", OVERLOADS + LIBRARY)
    assert not broken(asked(library.path))


def test_a_method_that_a_class_above_defines_is_not_gone(library: Any) -> None:
    base = "class Base:\n    def fetch(self):\n        return 1\n"
    library.commit("Inherit", {"base.py": base, "own.py": OWN})
    fetch = "    def fetch(self):\n        return 2\n\n"
    library.write("own.py", OWN.replace(fetch, ""))
    assert not broken(asked(library.path))
    library.write("base.py", base.replace("fetch", "get"))
    assert [row[:2] for row in broken(asked(library.path))] == [("own.py", "Own.call")]


@pytest.mark.parametrize("decorator", ["functools.lru_cache(maxsize=56)", "functools.cache", "contextmanager"])
def test_what_a_decorator_of_the_standard_library_passes_on_is_missed(library: Any, decorator: str) -> None:
    parse = f"@{decorator}\ndef parse(text):\n    yield text\n"
    library.commit("Parse", {"parse.py": parse, "use.py": "from parse import parse\n\nparse('a')\n"})
    library.write("parse.py", parse.replace("(text)", "(text, strict)"))
    reason = "calls `parse`: does not pass `strict`, which is now required"
    assert broken(asked(library.path)) == [("use.py", MODULE_NAME, 2, reason)]


def test_what_a_decorator_may_pass_is_not_missed(library: Any) -> None:
    """Of a command that a library makes of a function, the parameters are no matter of its callers."""
    command = (
        "import click\n\n\n@click.command()\ndef main(host):\n    return host\n\n\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    library.commit("Run", {"command.py": command})
    library.write("command.py", command.replace("(host)", "(host, port)"))
    assert not broken(asked(library.path))


def test_a_method_that_moved_to_another_class_may_be_inherited_from_there(library: Any) -> None:
    own = OWN.replace("from base import Base\n\n\n", "").replace("Own(Base)", "Own(unknown.Class)")
    library.commit("Own", {"own.py": own})
    fetch = "    def fetch(self):\n        return 2\n\n"
    library.write("own.py", own.replace(fetch, "") + f"\n\nclass Other:\n{fetch.rstrip()}\n")
    assert not broken(asked(library.path))


def test_a_stub_that_still_declares_what_a_change_renames_is_named_with_its_line(library: Any) -> None:
    stub = "def other() -> int: ...\n\nclass Kept: ...\n\ndef send(url: str) -> str: ...\n"
    library.commit("Stubs", {"library.pyi": stub, "shop/__init__.py": "from library import send\n"})
    library.commit("Stub of the package", {"shop/__init__.pyi": stub})
    library.write("library.py", LIBRARY.replace("def send", "def post"))
    said = "still declares `send`, which was renamed to `post`"
    found = broken(asked(library.path))
    assert ("library.pyi", "send", 4, said) in found
    assert ("shop/__init__.pyi", "send", 4, said) in found
    library.write("library.py", LIBRARY.replace("send(url)", "send(url, timeout=1)"))
    said = "declares `send` without `timeout`, which is now a parameter"
    assert broken(asked(library.path)) == [
        ("library.pyi", "send", 4, said),
        ("shop/__init__.pyi", "send", 4, said),
    ]


def test_a_definition_that_does_not_do_what_its_stub_now_declares_is_named(library: Any) -> None:
    stub = "def send(url: str) -> str: ...\n"
    library.commit("Stub", {"library.pyi": stub})
    library.write("library.pyi", stub.replace("url: str", "url: str, timeout: int = ..."))
    assert broken(asked(library.path)) == [
        ("library.py", "send", 0, "defines `send` without `timeout`, which its stub now declares")
    ]
    library.write("library.pyi", "def other() -> int: ...\n")
    assert not broken(asked(library.path)), "what a stub leaves out may be private"


SHOP = "def price(item):\n    return item\n"
IMPORTERS = {
    "shop/buy.py": "from shop.prices import price\n\n\ndef buy(item):\n    return price(item)\n",
    "shop/near.py": "from .prices import price\n",
    "shop/beside.py": "from . import prices\n",
    "app.py": "import os\nimport shop.prices\n",
    "late.py": "def run():\n    from shop import prices as p\n\n    return p\n",
    "every.py": "from shop.prices import *\n",
}
OTHERS = {
    "tests/prices.py": "",
    "tests/test_it.py": "import prices\n",  # the one beside it
    "away.py": "from market.prices import price\nimport prices_of\n",
    "words.py": "prices = 1\n",
}


@pytest.fixture
def shop(library: Any) -> Any:
    library.commit("Shop", {"shop/__init__.py": "", "shop/prices.py": SHOP, **IMPORTERS, **OTHERS})
    return library


def test_importers_of_a_module_that_moved_are_named_however_they_import_it(shop: Any) -> None:
    shop.git("mv", "shop/prices.py", "shop/costs.py")
    found = broken(asked(shop.path))
    assert {(path, name, line) for path, name, line, _ in found} == {
        ("shop/buy.py", MODULE_NAME, 0),
        ("shop/near.py", MODULE_NAME, 0),
        ("shop/beside.py", MODULE_NAME, 0),
        ("app.py", MODULE_NAME, 1),
        ("late.py", "run", 1),
        ("every.py", MODULE_NAME, 0),
    }
    reasons = {path: reason for path, _, _, reason in found}
    assert reasons["app.py"] == "imports `shop.prices`, which has moved to shop/costs.py"
    assert reasons["shop/near.py"] == "imports `.prices`, which has moved to shop/costs.py"


def test_importers_and_users_of_a_module_that_was_removed_are_named(shop: Any) -> None:
    shop.git("rm", "-q", "shop/prices.py")
    found = broken(asked(shop.path))
    assert {path for path, _, _, _ in found} == set(IMPORTERS)
    assert ("shop/buy.py", MODULE_NAME, 0, "imports `shop.prices`, which was removed") in found
    assert ("shop/buy.py", "buy", 4, "still uses `price`, which was removed") in found


def test_importers_of_the_modules_of_a_package_that_moved_are_named_those_that_moved_along_too(shop: Any) -> None:
    shop.git("mv", "shop", "store")
    reasons = {path: reason for path, _, _, reason in broken(asked(shop.path))}
    assert reasons["app.py"] == "imports `shop.prices`, which has moved to store/prices.py"
    assert reasons["store/buy.py"] == "imports `shop.prices`, which has moved to store/prices.py"
    assert "store/near.py" not in reasons, "what it imports has moved along"
    assert not set(OTHERS) & set(reasons)


@pytest.mark.parametrize("now", ["shop/prices/__init__.py", "src/shop/prices.py", "shop/prices.pyx"])
def test_a_module_that_is_found_under_its_name_elsewhere_breaks_nobody(library: Any, now: str) -> None:
    library.commit("Shop", {"shop/prices.py": SHOP, "app.py": "import shop.prices\n"})
    (library.path / now).parent.mkdir(parents=True, exist_ok=True)
    library.git("mv", "shop/prices.py", now) if not now.startswith("shop/prices/") else _into_package(library, now)
    assert broken(asked(library.path)) == []


def _into_package(library: Any, now: str) -> None:
    library.git("mv", "shop/prices.py", "shop/moved.py")
    library.git("mv", "shop/moved.py", now)


def test_a_module_of_the_standard_library_is_not_taken_for_one_of_that_name_in_a_package(library: Any) -> None:
    library.commit("Shop", {"shop/__init__.py": "", "shop/json.py": SHOP, "shop/app.py": "import json\n"})
    library.git("mv", "shop/json.py", "shop/text.py")
    assert broken(asked(library.path)) == []


def test_an_importer_that_was_changed_along_is_not_named(shop: Any) -> None:
    shop.git("mv", "shop/prices.py", "shop/costs.py")
    for path, text in IMPORTERS.items():
        shop.write(path, text.replace("prices", "costs"))
    shop.git("add", "-A")
    assert broken(asked(shop.path)) == []


def test_a_call_that_the_change_has_updated_is_left_alone(library: Any) -> None:
    """What it passes now is not what the parameters before would make of it."""
    before = {
        "library.py": "def send(url, mode, lines):\n    return url, mode, lines\n",
        "caller.py": CALLER.replace("send('a')", "send('a', 'b', 'c')"),
        "other.py": CALLER.replace("send('a')", "send('x', 'y', 'z')"),
    }
    library.commit("Send lines", before)
    library.write("library.py", "def send(url, lines):\n    return url, lines\n")
    library.write("caller.py", CALLER.replace("send('a')", "send('a', 'c')"))
    assert [(path, definition) for path, definition, *_ in broken(asked(library.path))] == [("other.py", "fetch")]
    library.write("other.py", CALLER.replace("send('a')", "send('x', lines='z')"))
    assert broken(asked(library.path)) == []
    library.write("other.py", CALLER.replace("send('a')", "send('x', mode='y')"))
    assert [path for path, *_ in broken(asked(library.path))] == ["other.py"]


def test_an_attribute_of_a_class_that_its_methods_set_now_is_not_gone(library: Any) -> None:
    text = (
        "class Box:\n    colour = 'x'\n\n    def __init__(self):\n        self.size = 1\n\n"
        "    def show(self):\n        return self.colour\n"
    )
    library.commit("Box", {"library.py": text, "caller.py": "from library import Box\n\nprint(Box().colour)\n"})
    changed = text.replace("    colour = 'x'\n\n", "").replace(
        "self.size = 1", "self.size = 1\n        self.colour = 'x'"
    )
    library.write("library.py", changed)
    assert broken(asked(library.path)) == []
    library.write("library.py", text.replace("    colour = 'x'\n\n", ""))
    assert [path for path, *_ in broken(asked(library.path))] == ["caller.py", "library.py"]
