"""Which imports and dotted names a change leaves broken, kind by kind, and which it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from codewm_lsp.hints.forgotten import forgotten
from codewm_lsp.history import Repository

F = "def f():\n    return 1\n"
G = "def g():\n    return 2\n"
BOTH = f"{F}\n\n{G}"
USER = "from pkg.a import f\n\n\ndef h():\n    return f()\n"
PACKAGE = {"pkg/__init__.py": ""}


def named(
    repository: Any, files: Mapping[str, str], moved: Mapping[str, str], after: Mapping[str, str | None]
) -> set[str]:
    """The files that are named after these were committed, moved and then written (None: removed)."""
    repository.commit("Begin", files)
    for old, new in moved.items():
        (repository.path / new).parent.mkdir(parents=True, exist_ok=True)
        repository.git("mv", old, new)
    for path, text in after.items():
        if text is None:
            repository.git("rm", "-q", path)
        else:
            repository.write(path, text)
    repository.git("add", "-A")
    with Repository.open(repository.path) as opened:
        return {one.path for one in forgotten(opened).missing}


@pytest.mark.parametrize(
    ("user", "broken"),
    [
        ("try:\n    from pkg.a import f\nexcept ImportError:\n    f = None\n\n\ndef h():\n    return f()\n", False),
        ("try:\n    import pkg.a\nexcept (AttributeError, ModuleNotFoundError):\n    pass\n", False),
        ("try:\n    import pkg.a as a\nexcept Exception:\n    a = None\n", False),
        ("try:\n    import pkg.a as a\nexcept:\n    a = None\n", False),
        ("try:\n    import pkg.a as a\nexcept ImportError as gone:\n    print(gone)\nelse:\n    print(a)\n", False),
        ("from contextlib import suppress\n\nwith suppress(ImportError):\n    import pkg.a\n", False),
        ("def h():\n    try:\n        from .pkg.a import f\n    except ImportError:\n        return None\n", False),
        ("try:\n    import pkg.a\nexcept ValueError:\n    pass\n", True),
        ("try:\n    import pkg.a\nexcept ImportError as gone:\n    raise RuntimeError('install it') from gone\n", True),
        ("try:\n    import fast\nexcept ImportError:\n    import pkg.a\n", True),
        ("try:\n    print(1)\nfinally:\n    import pkg.a\n", True),
        ("with open('x') as file:\n    import pkg.a\n", True),
        ("from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from pkg.a import f\n", True),
        ("import importlib\n\na = importlib.import_module('pkg.a')\n", True),
        ("from importlib import import_module\n\n\ndef h():\n    return import_module('pkg.a')\n", True),
        ("from unittest import mock\n\nmock.patch('pkg.a.f')\n", True),
        ("INSTALLED = ['pkg.a.f']\n", True),
        ("NAMES = ['a', 'other.a', 'pkg.a of old', 'pkg.a.unknown']\n", False),
        ("log = getLogger('pkg.a')\n", False),
    ],
)
def test_what_names_a_module_that_moved(make_repository: Any, user: str, broken: bool) -> None:
    found = named(make_repository(), {**PACKAGE, "pkg/a.py": F, "user.py": user}, {"pkg/a.py": "pkg/b.py"}, {})
    assert found == ({"user.py"} if broken else set())


def test_a_module_named_by_its_place_in_a_call_is_found(make_repository: Any) -> None:
    package = (
        "from importlib import import_module\n\na = import_module('.a', __name__)\nb = import_module('.a', other)\n"
    )
    files = {"pkg/__init__.py": package, "pkg/a.py": F}
    assert named(make_repository(), files, {"pkg/a.py": "pkg/b.py"}, {}) == {"pkg/__init__.py"}


@pytest.mark.parametrize(
    ("files", "moved", "after", "expected"),
    [
        pytest.param({}, {"pkg/a.py": "pkg/b.py"}, {"pkg/a.py": "from pkg.b import *\n"}, set(), id="shim of all"),
        pytest.param({}, {"pkg/a.py": "pkg/b.py"}, {"pkg/a.py": "from .b import f, g\n"}, set(), id="shim of names"),
        pytest.param(
            {}, {"pkg/a.py": "pkg/b.py"}, {"pkg/a.py": "from .b import g\n"}, {"user.py"}, id="shim lacks one"
        ),
        pytest.param({}, {}, {"pkg/a.py": f"from .b import f\n\n\n{G}", "pkg/b.py": F}, set(), id="still imported"),
        pytest.param(
            {},
            {},
            {"pkg/a.py": f"try:\n    from .b import f\nexcept ImportError:\n    f = None\n\n\n{G}", "pkg/b.py": F},
            set(),
            id="still bound",
        ),
        pytest.param({}, {}, {"pkg/a.py": G}, {"user.py"}, id="removed"),
        pytest.param(
            {"pkg/__init__.py": "from .a import *\n", "user.py": "from pkg import f\n\n\ndef h():\n    return f()\n"},
            {},
            {"pkg/a.py": G},
            {"user.py"},
            id="removed from what a package exports whole",
        ),
        pytest.param(
            {
                "pkg/__init__.py": "from .a import *\nfrom .b import *\n",
                "pkg/b.py": G,
                "user.py": "from pkg import f\n\n\ndef h():\n    return f()\n",
            },
            {},
            {"pkg/a.py": G, "pkg/b.py": BOTH},
            set(),
            id="moved to another that the package exports whole",
        ),
        pytest.param(
            {"pkg/a.py": f"{F}\n\ndef __getattr__(name):\n    return load(name)\n"},
            {},
            {"pkg/a.py": "def __getattr__(name):\n    return load(name)\n"},
            set(),
            id="made when it is asked for",
        ),
        pytest.param(
            {"pkg/a.py": f"{F}\n\ndef __getattr__(name):\n    if name == 'x':\n        return 1\n"},
            {},
            {"pkg/a.py": "def __getattr__(name):\n    if name == 'x':\n        return 1\n"},
            {"user.py"},
            id="another name is made when it is asked for",
        ),
        pytest.param(
            {"user.py": "from pkg import a\n", "pkg/__init__.py": "def __getattr__(name):\n    return load(name)\n"},
            {},
            {"pkg/a.py": None},
            set(),
            id="a module is made when it is asked for",
        ),
        pytest.param(
            {"user.py": "def h():\n    def f():\n        return 1\n\n    return f()\n"},
            {},
            {"user.py": f"{F}\n\ndef h():\n    return f()\n"},
            set(),
            id="moved to an outer scope",
        ),
        pytest.param({}, {"pkg/a.py": "pkg/A.py"}, {}, {"user.py"}, id="other case"),
        pytest.param(
            {"user.py": "import pkg\n"}, {"pkg/__init__.py": "pkg.py"}, {"pkg/a.py": None}, set(), id="package"
        ),
        pytest.param(
            {"user.py": "import pkg.a\n"},
            {"pkg/__init__.py": "pkg.py"},
            {"pkg/a.py": None},
            {"user.py"},
            id="its module",
        ),
        pytest.param({}, {"pkg/a.py": "pkg/t.py", "pkg/t.py": "pkg/a/__init__.py"}, {}, set(), id="module to package"),
        pytest.param(
            {},
            {"pkg/a.py": "pkg/t.py", "pkg/t.py": "pkg/a/parts.py"},
            {"pkg/a/__init__.py": "from .parts import f, g\n"},
            set(),
            id="module to a package of parts",
        ),
    ],
)
def test_a_name_that_is_found_where_it_is_used_breaks_nobody(
    make_repository: Any,
    files: Mapping[str, str],
    moved: Mapping[str, str],
    after: Mapping[str, str | None],
    expected: set[str],
) -> None:
    assert named(make_repository(), {**PACKAGE, "pkg/a.py": BOTH, "user.py": USER, **files}, moved, after) == expected


OWN = {
    "pkg/__init__.py": "",
    "pkg/sub/__init__.py": "",
    "pkg/b.py": F,
    "pkg/a.py": "from . import b\nfrom .b import f\n",
}


@pytest.mark.parametrize(
    ("moved", "after", "expected"),
    [
        ({"pkg/a.py": "pkg/sub/a.py"}, {}, {"pkg/sub/a.py"}),
        ({"pkg/a.py": "pkg/sub/a.py"}, {"pkg/sub/a.py": "from .. import b\nfrom ..b import f\n"}, set()),
        ({"pkg/a.py": "pkg/sub/a.py", "pkg/b.py": "pkg/sub/b.py"}, {}, set()),
        ({"pkg": "other"}, {}, set()),
        ({"pkg/a.py": "pkg/c.py"}, {}, set()),
        ({"pkg/a.py": "pkg/sub/a.py"}, {"pkg/sub/b.py": G}, set()),
        (
            {"pkg/a.py": "pkg/sub/a.py"},
            {"pkg/sub/a.py": "from . import b\nfrom .b import f\n\nprint(b, f)\n"},
            {"pkg/sub/a.py"},
        ),
        ({"pkg/a.py": "pkg/sub/a.py"}, {"pkg/sub/a.py": "from ._version import f\n"}, set()),
    ],
)
def test_what_a_file_that_moved_imports_by_its_place(
    make_repository: Any, moved: Mapping[str, str], after: Mapping[str, str | None], expected: set[str]
) -> None:
    assert named(make_repository(), OWN, moved, after) == expected


def test_an_import_that_a_move_has_broken_is_named_with_its_line_and_what_it_meant(make_repository: Any) -> None:
    repository = make_repository()
    repository.commit(
        "Begin", {**OWN, "pkg/a.py": "import os\n\n\ndef h():\n    from .b import f\n\n    return f, os\n"}
    )
    repository.git("mv", "pkg/a.py", "pkg/sub/a.py")
    with Repository.open(repository.path) as opened:
        (one,) = forgotten(opened).missing
    assert [(it.definition, it.line, it.reason) for it in one.definitions] == [
        ("h", 4, "imports `.b`, which was pkg/b.py before the move")
    ]
