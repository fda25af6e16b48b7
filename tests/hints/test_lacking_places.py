"""What a change uses and a file that it leaves alone does not have yet is named with that file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.hints.forgotten import Forgotten, Looked, forgotten
from codewm_lsp.history import Repository
from codewm_lsp.source import MODULE_NAME

BEFORE = 60  # commits, so that the history is long enough to be asked
MAIL = (
    "def post(to, *, copy=None):\n    return to\n\n\n"
    "class Box:\n    def __init__(self, owner):\n        self.owner = owner\n\n"
    "    def put(self, item):\n        return item\n"
)
FILES = {
    "src/shop/__init__.py": "from .mail import Box as Box, post as post\n",
    "src/shop/mail.py": MAIL,
    "src/shop/desk.py": "",
    "tests/test_mail.py": "",
    "notes.md": "",
}


@pytest.fixture
def shop(make_repository: Any) -> Any:
    repository = make_repository("shop")
    repository.commit_many([("Begin", FILES), *((f"Note {n}", {"log.txt": f"{n}\n"}) for n in range(BEFORE))])
    return repository


def asked(path: Path, **more: Any) -> Forgotten:
    with Repository.open(path) as repository:
        return forgotten(repository, **more)


def lacking(found: Forgotten) -> list[tuple[str, str, int, str]]:
    return [(one.path, it.definition, it.line, it.reason) for one in found.missing for it in one.definitions]


@pytest.mark.parametrize(
    ("text", "definition", "line", "reason"),
    [
        ("from .mail import send\n", MODULE_NAME, 0, "does not define `send`, which src/shop/desk.py imports"),
        ("from shop.mail import send\n", MODULE_NAME, 0, "does not define `send`, which src/shop/desk.py imports"),
        (
            "def run():\n    from shop import mail as m\n\n    m.send(1)\n",
            MODULE_NAME,
            0,
            "does not define `send`, which run in src/shop/desk.py uses",
        ),
        (
            "from shop import post\n\n\ndef run():\n    post('a', urgent=True)\n",
            "post",
            0,
            "does not take `urgent`, which run in src/shop/desk.py passes",
        ),
    ],
)
def test_a_file_that_lacks_what_a_change_uses_is_named_with_its_line_and_reason(
    shop: Any, text: str, definition: str, line: int, reason: str
) -> None:
    shop.write("src/shop/desk.py", text)
    found = asked(shop.path)
    assert lacking(found) == [("src/shop/mail.py", definition, line, reason)]
    (one,) = found.missing
    assert one.chance == pytest.approx(0.95)
    assert one.of == 0, "no commit speaks for it"


@pytest.mark.parametrize(
    ("mail", "text"),
    [
        ("from .other import *\n", "from .mail import send\n"),
        ("def __getattr__(name):\n    return name\n", "from .mail import send\n"),
        ("globals()['send'] = print\n", "from .mail import send\n"),
        (MAIL, "from .mail import post as send\n\n\nsend(1)\n"),
        (MAIL, "import json\n\njson.dump(1)\n"),
        (MAIL, "from . import drawer\n"),
        ("def post(to, **more):\n    return to\n", "from .mail import post\n\npost(1, urgent=True)\n"),
        ("@wraps\ndef post(to):\n    return to\n", "from .mail import post\n\npost(1, urgent=True)\n"),
        ("class Box(Base):\n    pass\n", "from .mail import Box\n\nBox().take()\n"),
        (
            "class Box:\n    def __getattr__(self, name):\n        return name\n",
            "from .mail import Box\n\nBox().take()\n",
        ),
        ("class Box:\n    pass\n", "from .mail import Box\n\n\ndef run(box):\n    box.take()\n"),
        (MAIL, "from .mail import post\n\nprint(post.__doc__, post.__wrapped__)\n"),
        (MAIL, "import shop.mail\n\nprint(shop.mail.__file__)\n"),
        (MAIL, "words = 'see shop.mail.send of the manual'\n"),
        (MAIL, "from unittest import mock\n\n\ndef run():\n    mock.patch('shop.mail.send')\n"),
        (MAIL, "import logging\n\nlog = logging.getLogger('shop.audit')\n"),
        (MAIL, "from .mail import Box\n\n\ndef run():\n    Box('a').take()\n"),
        (MAIL, "from .mail import Box\n\n\ndef run(box: Box):\n    box.marked = True\n    box.visit(1)\n"),
        (MAIL, "from .mail import Box\n\nbox = Box('a', size=1)\n"),
        (MAIL, "from .mail import Box\n\n\ndef run(box: Box):\n    return box.put(1, twice=True)\n"),
        (MAIL, "from . import mail\n\nmail.marked = True\nprint(mail.marked)\n"),
        (MAIL, "from . import mail\n\n\ndef run():\n    return hasattr(mail, 'send') and mail.send(1)\n"),
        (
            MAIL,
            "import pytest\nfrom .mail import post\n\n\n"
            "def run():\n    with pytest.raises(TypeError):\n        post(1, bogus=1)\n",
        ),
        (MAIL, "def run(case):\n    with case.assertRaises(ImportError):\n        from .mail import missing\n"),
        (MAIL, "from . import _version, _speed\n"),
        ("import sys\n\nsetattr(sys.modules[__name__], 'send', print)\n", "from .mail import send\n"),
        ("vars().update(send=print)\n", "from .mail import send\n"),
    ],
)
def test_what_may_come_from_elsewhere_is_not_missed(shop: Any, mail: str, text: str) -> None:
    shop.commit("Mail", {"src/shop/mail.py": mail, "src/shop/json.py": "", "src/shop/drawer/note.txt": "x\n"})
    shop.write("src/shop/drawer.pyx", "x = 1\n")
    shop.write("src/shop/desk.py", text)
    shop.git("add", "-A")
    assert lacking(asked(shop.path)) == []


def test_what_was_used_before_and_what_the_change_defines_is_left_alone(shop: Any) -> None:
    shop.commit("Use", {"src/shop/desk.py": "from .mail import gone\n\ngone(1)\n"})
    shop.write("src/shop/desk.py", "from .mail import gone\n\ngone(2)\n")
    assert lacking(asked(shop.path)) == []
    shop.write("src/shop/desk.py", "from .mail import send\n\nsend(2)\n")
    shop.write("src/shop/mail.py", MAIL + "\n\ndef send(to):\n    return to\n")
    assert lacking(asked(shop.path)) == []


def test_what_is_defined_and_not_staged_is_named(shop: Any) -> None:
    shop.write("tests/test_mail.py", "from shop.mail import send\n\n\ndef test_it():\n    assert send(1)\n")
    shop.write("src/shop/mail.py", MAIL + "\n\ndef send(to):\n    return to\n")
    shop.git("add", "tests/test_mail.py")
    (one,) = lacking(asked(shop.path, looked=Looked.STAGED))
    assert one[0] == "src/shop/mail.py"
    assert lacking(asked(shop.path, looked=Looked.WORK_TREE)) == []


def test_a_package_that_does_not_export_what_a_test_imports_from_it_is_named(shop: Any) -> None:
    shop.write("tests/test_mail.py", "from shop import send\n")
    shop.write("src/shop/mail.py", MAIL + "\n\ndef send(to):\n    return to\n")
    assert [path for path, *_ in lacking(asked(shop.path))] == ["src/shop/__init__.py"]


def test_what_a_change_lacks_is_named_however_short_the_history_is(make_repository: Any) -> None:
    repository = make_repository("short")
    repository.commit("Begin", {"library.py": "def send():\n    return 0\n", "user.py": ""})
    repository.write("user.py", "import library\n\nlibrary.post()\n")
    found = asked(repository.path)
    assert lacking(found) == [("library.py", MODULE_NAME, 0, "does not define `post`, which user.py uses")]


def test_what_somebody_says_is_not_needed_is_not_named(shop: Any) -> None:
    shop.write("src/shop/desk.py", "from .mail import send\n")
    assert asked(shop.path, threshold=0.96).missing == ()
