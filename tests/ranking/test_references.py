"""Definitions that must follow an edit: users of what is gone, callers that no longer fit, overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from codewm_lsp.history import Edit
from codewm_lsp.history.edits import file_edits
from codewm_lsp.ranking.corpus import Corpus, Vocabulary, parse_file
from codewm_lsp.ranking.references import MOST_OF_FILES, MOST_TEXT, ForcedChange, led, references
from codewm_lsp.source import Definition, parse_definitions

CLIENT = """\
import time

LIMIT = 10


class Client:
    def fetch_orders(self, timeout=1):
        time.sleep(timeout)
        return [self] * LIMIT

    def all(self):
        return self.fetch_orders()


def connect(host, port=80):
    print("connecting to", host, port)
    return Client()
"""


def following(
    before: Mapping[str, str], after: Mapping[str, str | None], looked: list[str] | None = None
) -> dict[str, str]:
    """What must follow where the files change so: words by ``path::definition``. ``looked``: gets the files read."""
    return {place: one.words for place, one in forced(before, after, looked).items()}


def forced(
    before: Mapping[str, str], after: Mapping[str, str | None], looked: list[str] | None = None
) -> dict[str, ForcedChange]:
    """The same, with all that is known of each."""
    now = {path: text for path, text in {**before, **after}.items() if text is not None}
    edits: list[Edit] = []
    for path in after:
        edits += file_edits(path, before.get(path), after[path])
    vocabulary = Vocabulary()
    corpus = Corpus.of({path: parse_file(text, vocabulary) for path, text in now.items()}, vocabulary)

    def texts(files: Sequence[int]) -> Mapping[int, Sequence[Definition]]:
        if looked is not None:
            looked.extend(corpus.paths[file] for file in files)
        return {file: parse_definitions(now[corpus.paths[file]]) for file in files}

    found = references(corpus, edits, texts)
    return {f"{corpus.paths[corpus.file[row]]}::{corpus.names[row]}": one for row, one in found.items()}


def renamed(old: str, new: str, **files: str) -> dict[str, str]:
    """What must follow where this is renamed at its definition in CLIENT."""
    before = {"shop/__init__.py": "", "shop/client.py": CLIENT}
    before |= {path.replace("__", "/") + ".py": text for path, text in files.items()}
    for line in (f"def {old}(", f"class {old}:", f"{old} = "):
        if line in CLIENT:
            return following(before, {"shop/client.py": CLIENT.replace(line, line.replace(old, new))})
    raise AssertionError(old)


def test_users_of_a_renamed_method_follow_and_say_its_new_name() -> None:
    found = renamed("fetch_orders", "get_orders", app="def run(client):\n    return client.fetch_orders()\n")
    assert found == {
        "shop/client.py::Client.all": "still uses `fetch_orders`, which was renamed to `get_orders`",
        "app.py::run": "still uses `fetch_orders`, which was renamed to `get_orders`",
    }


def test_a_receiver_of_unknown_type_does_not_count_where_another_class_has_such_a_method() -> None:
    found = renamed(
        "fetch_orders",
        "get_orders",
        app="from shop.client import Client, connect\n\n\ndef run(thing):\n    return thing.fetch_orders()\n\n\n"
        "def known():\n    client = Client()\n    return client.fetch_orders()\n\n\n"
        "def told(client: Client):\n    return client.fetch_orders()\n\n\n"
        "def other():\n    return Other().fetch_orders()\n\n\n"
        "class Other:\n    def fetch_orders(self):\n        return 1\n\n    def all(self):\n"
        "        return self.fetch_orders()\n",
    )
    assert set(found) == {"shop/client.py::Client.all", "app.py::known", "app.py::told"}


def test_a_method_used_by_a_class_below_follows_but_not_one_that_has_its_own() -> None:
    found = renamed(
        "fetch_orders",
        "get_orders",
        app="from shop import client\n\n\nclass Mine(client.Client):\n    def run(self):\n"
        "        return self.fetch_orders()\n\n\n"
        "class Own(client.Client):\n    def fetch_orders(self):\n        return []\n\n    def run(self):\n"
        "        return self.fetch_orders()\n",
    )
    assert found.keys() == {"shop/client.py::Client.all", "app.py::Mine.run", "app.py::Own.fetch_orders"}
    assert found["app.py::Own.fetch_orders"] == "overrides `Client.fetch_orders`, which was renamed to `get_orders`"


@pytest.mark.parametrize(
    "text",
    [
        "from shop.client import connect\n\n\ndef run():\n    return connect('x')\n",
        "import shop.client\n\n\ndef run():\n    return shop.client.connect('x')\n",
        "import shop.client as c\n\n\ndef run():\n    return c.connect('x')\n",
        "from shop import client\n\n\ndef run():\n    return client.connect('x')\n",
        "from shop.client import *\n\n\ndef run():\n    return connect('x')\n",
        "def run():\n    from shop.client import connect\n\n    return connect('x')\n",
        "from shop.client import connect\n\n\n@connect\ndef run():\n    pass\n",
        "def run(mocker):\n    mocker.patch('shop.client.connect')\n",
        "from shop.client import connect\n\n\ndef run(:\n    return connect('x'\n",
    ],
)
def test_a_function_is_found_however_it_was_imported(text: str) -> None:
    assert "app.py::run" in renamed("connect", "open_client", app=text)


@pytest.mark.parametrize(
    "text",
    [
        "def run(connect):\n    return connect('x')\n",
        "from shop.client import connect\n\n\ndef run(connect):\n    return connect('x')\n",
        "from shop.client import connect\n\n\ndef run(all):\n    connect = all\n    return connect('x')\n",
        "from shop.client import connect\n\n\ndef run(all):\n    return [connect for connect in all]\n",
        "from shop.client import connect\n\n\ndef run(all):\n    return all(lambda connect: connect('x'))\n",
        "from socket import connect\n\n\ndef run():\n    return connect('x')\n",
        "import socket\n\n\ndef run():\n    return socket.connect('x')\n",
        "def connect(x):\n    return x\n\n\ndef run():\n    return connect('x')\n",
        "def run(f):\n    return f(connect='x'), 'connect'  # connect\n",
        "from shop.client import connect as open_client\n\n\ndef run():\n    return open_client('x')\n",
    ],
)
def test_what_only_looks_like_a_use_does_not_follow(text: str) -> None:
    assert "app.py::run" not in renamed("connect", "open_client", app=text)


def test_a_name_is_found_through_what_a_package_exports_and_its_import_is_a_linters_to_name() -> None:
    before = {
        "src/shop/__init__.py": "from .client import connect\n\n__all__ = ['connect']\n",
        "src/shop/client.py": CLIENT,
        "tests/test_shop.py": "import shop\n\n\ndef test_connect():\n    assert shop.connect('x')\n",
    }
    after = {"src/shop/client.py": CLIENT.replace("def connect", "def open_client")}
    assert following(before, after) == {
        "src/shop/__init__.py::<module>": (
            "imports `connect`, which was renamed to `open_client` (a linter would catch this)"
        ),
        "tests/test_shop.py::test_connect": "still uses `connect`, which was renamed to `open_client`",
    }


def test_what_a_module_lists_as_exported_follows_and_is_a_linters_to_name() -> None:
    before = {"shop/client.py": CLIENT + "\n\n__all__ = ['Client', 'connect']\n"}
    before["shop/__init__.py"] = "from shop.client import *\n\n__all__ = ('connect',)\n__all__ += ['Client']\n"
    after = {"shop/client.py": before["shop/client.py"].replace("def connect", "def open_client")}
    listed = "still lists `connect` in `__all__`, which was renamed to `open_client`"
    assert following(before, after) == {"shop/client.py::<module>": listed, "shop/__init__.py::<module>": listed}
    after = {"shop/client.py": before["shop/client.py"].replace("class Client:", "class Session:")}
    found = following(before, after)
    assert found["shop/__init__.py::<module>"] == "still lists `Client` in `__all__`, which was renamed to `Session`"


def test_users_are_found_through_exports_of_exports_and_under_another_name_only_the_import_follows() -> None:
    before = {
        "shop/__init__.py": "from shop.api import connect\n",
        "shop/api/__init__.py": "from ..client import connect, connect as dial\n",
        "shop/client.py": CLIENT,
        "app.py": "import shop\n\n\ndef run():\n    return shop.connect('x')\n",
        "other.py": "from shop.api import dial\n\n\ndef run():\n    return dial('x')\n",
    }
    after = {"shop/client.py": CLIENT.replace("def connect", "def open_client")}
    assert following(before, after).keys() == {
        "shop/__init__.py::<module>",
        "shop/api/__init__.py::<module>",
        "app.py::run",
    }


def test_a_common_methods_users_are_looked_for_where_its_class_is_known() -> None:
    unrelated = {f"lib/m{n}.py": "def run(x):\n    return x.get('a')\n" for n in range(60)}
    before = {
        **unrelated,
        "shop/base.py": "class Base:\n    def get(self, key):\n        return key\n",
        "shop/below.py": "from shop.base import Base\n\n\nclass Below(Base):\n    pass\n",
        "shop/use.py": "from shop.below import Below\n\n\nclass Last(Below):\n    def run(self):\n"
        "        return self.get(1)\n",
    }
    looked: list[str] = []
    after = {"shop/base.py": before["shop/base.py"].replace("def get", "def fetch")}
    assert following(before, after, looked) == {
        "shop/use.py::Last.run": "still uses `get`, which was renamed to `fetch`"
    }
    assert not set(looked) & set(unrelated)


def test_so_much_text_is_looked_into_and_no_more() -> None:
    filler = "".join(f"    x{n} = {n}\n" for n in range(2_000))
    app = {
        f"app{n:03}.py": f"from shop.client import connect\n\n\ndef run():\n{filler}    connect(1)\n" for n in range(60)
    }
    before = {"shop/client.py": CLIENT, **app}
    looked: list[str] = []
    found = following(before, {"shop/client.py": CLIENT.replace("def connect", "def open_client")}, looked)
    longest = max(map(len, app.values()))
    assert found
    assert sum(len(before[path]) for path in set(looked)) <= MOST_OF_FILES + longest
    assert len(found) * longest <= 2 * (MOST_TEXT + longest)


def test_what_is_fixed_already_is_no_longer_listed() -> None:
    app = "from shop.client import connect\n\n\ndef one():\n    return connect('x')\n"
    app += "\n\ndef two():\n    return connect(1)\n"
    before = {"shop/client.py": CLIENT, "app.py": app}
    after = {
        "shop/client.py": CLIENT.replace("def connect", "def open_client"),
        "app.py": app.replace("connect('x')", "open_client('x')"),
    }
    assert following(before, after).keys() == {"app.py::<module>", "app.py::two"}


def test_a_removed_class_and_a_removed_constant_lead_to_their_users() -> None:
    found = renamed("LIMIT", "MOST", app="from shop.client import LIMIT\n\n\ndef run():\n    return LIMIT\n")
    assert found["shop/client.py::Client.fetch_orders"] == "still uses `LIMIT`, which was renamed to `MOST`"
    assert found["app.py::run"] == "still uses `LIMIT`, which was renamed to `MOST`"
    found = renamed("Client", "Session", app="from shop.client import Client\n\n\nclass Mine(Client):\n    x = 1\n")
    assert found.keys() == {"shop/client.py::connect", "app.py::<module>", "app.py::Mine"}
    text = CLIENT[: CLIENT.index("def connect")]
    before = {"shop/client.py": CLIENT, "app.py": "from shop import client\n\n\ndef run():\n    client.connect(1)\n"}
    assert following(before, {"shop/client.py": text}) == {"app.py::run": "still uses `connect`, which was removed"}


def test_names_that_are_not_ascii_are_names() -> None:
    before = {"a.py": "def größe(x):\n    return x + 1\n", "b.py": "import a\n\n\ndef run():\n    return a.größe(1)\n"}
    found = following(before, {"a.py": "def länge(x):\n    return x + 1\n"})
    assert found == {"b.py::run": "still uses `größe`, which was renamed to `länge`"}


APP = """\
from shop.client import connect


def by_position():
    return connect("x", 80)


def by_keyword():
    return connect("x", port=80)


def plain():
    return connect("x")


def unpacked(*args):
    return connect(*args)
"""


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("host, port=80, user=None", {}),
        ("host, *, port=80", {"by_position": "passes 2 arguments where 1 are taken"}),
        (
            "host",
            {
                "by_position": "passes `port`, which is no longer a parameter",
                "by_keyword": "passes `port`, which is no longer a parameter",
            },
        ),
        ("host, number=80", {"by_keyword": "passes `port`, which was renamed to `number`"}),
        (
            "host, user, port=80",
            {
                "by_position": "its 2nd argument is now `user`, was `port`",
                "by_keyword": "does not pass `user`, which is now required",
                "plain": "does not pass `user`, which is now required",
            },
        ),
        ("host, port", {"plain": "does not pass `port`, which is now required"}),
        ("host, port=", {}),
    ],
)
def test_callers_that_no_longer_fit_a_signature_follow(signature: str, expected: dict[str, str]) -> None:
    before = {"shop/client.py": CLIENT, "app.py": APP}
    after = {"shop/client.py": CLIENT.replace("host, port=80)", f"{signature})")}
    found = following(before, after)
    assert found == {f"app.py::{name}": f"calls `connect`: {words}" for name, words in expected.items()}


def test_of_equal_callers_what_runs_comes_before_what_tests_it() -> None:
    call = "from shop.client import connect\n\n\ndef {}():\n    connect('x')\n"
    before = {"shop/client.py": CLIENT, "shop/z.py": call.format("run"), "shop/test_a.py": call.format("test_run")}
    after = {"shop/client.py": CLIENT.replace("port=80", "port")}
    now = {**before, **after}
    vocabulary = Vocabulary()
    corpus = Corpus.of({path: parse_file(text, vocabulary) for path, text in now.items()}, vocabulary)
    edits = file_edits("shop/client.py", CLIENT, after["shop/client.py"])
    found = references(corpus, edits, lambda files: {f: parse_definitions(now[corpus.paths[f]]) for f in files})
    rows, _ = led(found, corpus, np.arange(len(corpus)), np.full(len(corpus), 0.1))
    assert [corpus.names[row] for row in rows[:2]] == ["run", "test_run"]


def test_a_constructor_is_called_by_the_name_of_its_class() -> None:
    text = "class Base:\n    def __init__(self, a):\n        self.a = a\n"
    app = (
        "from base import Base\n\n\ndef make():\n    return Base(1)\n\n\n"
        "class Below(Base):\n    def __init__(self):\n        super().__init__(1)\n"
    )
    found = following({"base.py": text, "app.py": app}, {"base.py": text.replace("self, a)", "self, a, b)")})
    assert found == {
        "app.py::make": "calls `Base`: does not pass `b`, which is now required",
        "app.py::Below.__init__": "calls `Base.__init__`: does not pass `b`, which is now required",
    }


def test_overrides_follow_a_method_whose_signature_changed() -> None:
    text = "class Base:\n    def close(self, hard):\n        return hard\n"
    app = (
        "from base import Base\n\n\nclass Below(Base):\n    def close(self, hard):\n        return not hard\n\n\n"
        "class Other:\n    def close(self, hard):\n        return 1\n"
    )
    found = following({"base.py": text, "app.py": app}, {"base.py": text.replace("hard)", "hard, soon)", 1)})
    assert found == {"app.py::Below.close": "overrides `Base.close`, whose signature changed"}


def test_a_new_member_leads_to_what_handles_all_others() -> None:
    text = "from enum import Enum\n\n\nclass Colour(Enum):\n    RED = 1\n    BLUE = 2\n"
    app = (
        "from colours import Colour\n\n\ndef name(c):\n    match c:\n        case Colour.RED:\n            return 'r'\n"
        "        case Colour.BLUE:\n            return 'b'\n\n\ndef red():\n    return Colour.RED\n"
    )
    found = following({"colours.py": text, "app.py": app}, {"colours.py": text + "    GREEN = 3\n"})
    assert found == {"app.py::name": "handles every member of `Colour` except the new `GREEN`"}


def test_a_function_that_moved_leads_to_its_imports_alone() -> None:
    function = "def connect(host):\n    print('connecting', host)\n    return host\n"
    before = {"a.py": function, "b.py": "", "app.py": "from a import connect\n\n\ndef run():\n    return connect(1)\n"}
    assert following(before, {"a.py": None, "b.py": function}) == {}
    found = following(before, {"a.py": "x = 1\n", "b.py": function})
    assert found == {"app.py::<module>": "imports `connect`, which has moved (a linter would catch this)"}


def test_a_caller_is_found_by_the_type_of_a_parameter_and_by_a_name_that_nothing_else_has() -> None:
    text = "class Base:\n    def finish(self, a):\n        pass\n\n\nclass More:\n    def close(self):\n        pass\n"
    app = (
        "from base import Base\n\n\nclass App:\n    def __init__(self, base: Base):\n        self.base = base\n\n"
        "    def run(self):\n        self.base.finish(1)\n\n\ndef run(x):\n    x.finish(1)\n    x.close(1)\n"
    )
    after = text.replace("self, a)", "self, a, b)")
    why = "calls `finish`: does not pass `b`, which is now required"
    before = {"base.py": text, "app.py": app}
    assert following(before, {"base.py": after}) == {"app.py::App.run": why, "app.py::run": why}
    before["other.py"] = "class Other:\n    def finish(self, b):\n        return b\n"
    assert following(before, {"base.py": after}) == {"app.py::App.run": why.replace("finish", "Base.finish")}


def test_a_class_method_gets_its_class_however_it_is_called_and_a_static_one_nothing() -> None:
    text = (
        "class Key:\n    @classmethod\n    def make(cls, a, b):\n        return cls()\n\n"
        "    @staticmethod\n    def read(a, b):\n        return a\n"
    )
    app = (
        "from key import Key\n\n\ndef one():\n    Key.make(1, 2)\n\n\ndef two():\n    Key.read(1, 2)\n\n\n"
        "def fit():\n    Key.make(1)\n"
    )
    found = following({"key.py": text, "app.py": app}, {"key.py": text.replace("a, b", "a")})
    assert found == {
        "app.py::one": "calls `make`: passes `b`, which is no longer a parameter",
        "app.py::two": "calls `read`: passes `b`, which is no longer a parameter",
    }


def test_a_name_that_only_classes_below_have_too_is_told_by_itself() -> None:
    text = "class Base:\n    def finish(self, a):\n        pass\n"
    app = (
        "import base\n\n\nclass Below(base.Base):\n    def finish(self, a):\n        pass\n\n\n"
        "def run(x):\n    x.finish(1)\n"
    )
    found = following({"base.py": text, "app.py": app}, {"base.py": text.replace("self, a)", "self, a, b)")})
    assert found == {
        "app.py::run": "calls `Base.finish`: does not pass `b`, which is now required",
        "app.py::Below.finish": "overrides `Base.finish`, whose signature changed",
    }


def test_what_has_to_change_is_the_decorator_the_signature_or_the_body_that_the_use_stands_in() -> None:
    users = """\
import deco
from deco import cached


@cached
def load(path):
    return path


@deco.cached(size=3)
def read(path):
    return path


def store(path, how=cached):
    return how(path)


def clear(path: cached):
    return path


def run(path):
    return cached(path)
"""
    before = {"deco.py": "def cached(function):\n    return function\n", "use.py": users}
    found = forced(before, {"deco.py": before["deco.py"].replace("cached", "memo")})
    assert {place.rpartition("::")[2]: one.changes for place, one in found.items() if "<" not in place} == {
        "load": "decorators",
        "read": "decorators",
        "store": "signature",
        "clear": "signature",
        "run": "body",
    }


FUNCS = """\
def has(cls):
    return bool(getattr(cls, "attrs", None))


class Box:
    def put(self, thing):
        return [self, thing]
"""
DECLARED = """\
MOST: int

def has(cls: type) -> bool: ...

class Box:
    def put(self, thing: object) -> list[object]: ...
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("def has", "def have", ("has", "still declares `has`, which was renamed to `have`")),
        ("has(cls)", "has(cls, deep=False)", ("has", "declares `has` without `deep`, which is now a parameter")),
        ("cls", "kind", ("has", "declares `has` with `cls`, which was renamed to `kind`")),
        ("class Box", "class Case", ("Box", "still declares `Box`, which was renamed to `Case`")),
        ("def put", "def add", ("Box.put", "still declares `Box.put`, which was renamed to `add`")),
        ("self, thing", "self", ("Box.put", "declares `Box.put` with `thing`, which is no longer a parameter")),
        ("MOST = 10\n", "", ("<module>", "still declares `MOST`, which was removed")),
        ("[self, thing]", "[thing]", None),
    ],
)
@pytest.mark.parametrize("stub", ["shop/funcs.pyi", "shop/__init__.pyi"])
def test_what_a_stub_declares_follows_the_definition(
    stub: str, old: str, new: str, expected: tuple[str, str] | None
) -> None:
    """Beside the module, and beside one that imports the name from it."""
    funcs = "import os\n\nMOST = 10\n" + FUNCS
    package = {"shop/__init__.py": "from .funcs import MOST, Box, has\n", "shop/funcs.py": funcs, stub: DECLARED}
    found = following(package, {"shop/funcs.py": funcs.replace(old, new)})
    declared = {place: words for place, words in found.items() if place.startswith(stub)}
    assert declared == ({} if expected is None else {f"{stub}::{expected[0]}": expected[1]})


def test_a_stub_follows_where_the_import_that_exports_the_name_was_edited_too() -> None:
    package = {"shop/__init__.py": "from .funcs import has\n", "shop/funcs.py": FUNCS, "shop/__init__.pyi": DECLARED}
    renamed = FUNCS.replace("def has", "def have")
    for imports in ("from .funcs import have\n", "", "from .funcs import Box\n"):
        found = following(package, {"shop/funcs.py": renamed, "shop/__init__.py": imports})
        assert found == {"shop/__init__.pyi::has": "still declares `has`, which was renamed to `have`"}


def test_a_stub_that_declares_something_else_of_that_name_is_left_alone() -> None:
    renamed = {"shop/funcs.py": FUNCS.replace("def has", "def have")}
    package = {"shop/funcs.py": FUNCS, "shop/other.py": "def has(x):\n    return x\n", "shop/other.pyi": DECLARED}
    assert not following(package, renamed)
    other = {"shop/__init__.py": "from .other import has\n", "shop/__init__.pyi": DECLARED}
    assert not following({**package, **other}, renamed)
    assert not following({"shop/funcs.py": FUNCS, "shop/lone.pyi": DECLARED}, renamed), "it declares no module's"


def test_a_stub_that_was_edited_with_its_module_is_done() -> None:
    package = {"shop/funcs.py": FUNCS, "shop/funcs.pyi": DECLARED}
    for old, new in (("def has", "def have"), ("(cls", "(kind"), ("def put", "def add")):
        assert not following(package, {path: text.replace(old, new) for path, text in package.items()})


def test_one_of_several_overloads_declares_a_new_parameter_and_each_must_lose_one_that_is_gone() -> None:
    overloads = (
        "@overload\ndef has(cls: int) -> bool: ...\n@overload\ndef has(cls: str, deep: bool = ...) -> bool: ...\n"
    )
    package = {"funcs.py": FUNCS, "funcs.pyi": "from typing import overload\n\n" + overloads}
    assert not following(package, {"funcs.py": FUNCS.replace("has(cls)", "has(cls, deep=False)")})
    found = following(package, {"funcs.py": FUNCS.replace("(cls)", "()")})
    assert found == {"funcs.pyi::has": "declares `has` with `cls`, which is no longer a parameter"}


def test_a_stub_that_takes_anything_lacks_no_parameter() -> None:
    package = {"funcs.py": FUNCS, "funcs.pyi": "def has(*args: object, **more: object) -> bool: ...\n"}
    assert not following(package, {"funcs.py": FUNCS.replace("has(cls)", "has(cls, deep=False)")})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("def has", "def have", ("has", "defines `has`, which its stub now calls `have`")),
        (
            "cls: type",
            "cls: type, deep: bool = ...",
            ("has", "defines `has` without `deep`, which its stub now declares"),
        ),
        ("cls: type", "kind: type", ("has", "defines `has` with `cls`, which its stub now calls `kind`")),
        ("def put", "def add", ("Box.put", "defines `Box.put`, which its stub now calls `add`")),
        ("-> bool", "-> object", None),
    ],
)
@pytest.mark.parametrize("stub", ["shop/funcs.pyi", "shop/__init__.pyi"])
def test_a_definition_follows_what_its_stub_now_declares(
    stub: str, old: str, new: str, expected: tuple[str, str] | None
) -> None:
    package = {"shop/__init__.py": "from .funcs import Box, has\n", "shop/funcs.py": FUNCS, stub: DECLARED}
    found = following(package, {stub: DECLARED.replace(old, new)})
    assert found == ({} if expected is None else {f"shop/funcs.py::{expected[0]}": expected[1]})


def test_what_a_stub_no_longer_declares_may_be_private_now() -> None:
    package = {"funcs.py": FUNCS, "funcs.pyi": DECLARED}
    found = forced(package, {"funcs.pyi": DECLARED.replace("def has(cls: type) -> bool: ...\n", "")})
    assert found["funcs.py::has"].words == "defines `has`, which its stub no longer declares"
    assert not found["funcs.py::has"].certain


def test_what_a_class_no_longer_assigns_its_objects_may() -> None:
    box = "class Box:\n    size = 1\n\n    def __init__(self):\n        self.size = 1\n"
    package = {"funcs.py": box, "funcs.pyi": "class Box:\n    size: int\n    def __init__(self) -> None: ...\n"}
    found = forced(package, {"funcs.py": box.replace("    size = 1\n\n", "    kind = 3\n    most = 2\n\n")})
    assert not found["funcs.pyi::Box"].certain
