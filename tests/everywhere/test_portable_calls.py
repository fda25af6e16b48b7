"""What runs in the editor calls nothing that only some systems have, and never reads text in the system's encoding."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "codewm_lsp"
FILES = sorted(ROOT.rglob("*.py"))
MODULES = {
    "curses",
    "fcntl",
    "grp",
    "posix",
    "pty",
    "pwd",
    "readline",
    "resource",
    "select",
    "signal",
    "syslog",
    "termios",
}
CALLS = {
    *(
        "chown",
        "chroot",
        "fork",
        "forkpty",
        "geteuid",
        "getgid",
        "getpgid",
        "getuid",
        "kill",
        "killpg",
        "link",
        "mkfifo",
    ),
    *("mknod", "nice", "pipe2", "sched_setaffinity", "setpriority", "setsid", "symlink", "uname", "wait", "waitpid"),
}
OF_SUBPROCESSES = {"preexec_fn", "start_new_session", "process_group", "pass_fds"}
ALLOWED = {
    "cli/__init__.py": {"signal"},  # SIGINT, which every system has
    "starting.py": {"signal"},  # the same
    "workers.py": {"signal"},  # the same
    "server/ending.py": {"signal"},  # it catches those that a system has
}
PLACES = ("/dev/", "/proc/", "/tmp/", "/usr/", "/etc/")
LOOKED_AT = {"allocator.py": {"/proc/self/statm"}}  # where it is; elsewhere its reader answers 0


def nodes(file: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_only_what_every_system_has(file: Path) -> None:
    modules = MODULES - ALLOWED.get(file.relative_to(ROOT).as_posix(), set())
    for node in nodes(file):
        where = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            assert not modules & {name.name.split(".")[0] for name in node.names}, where
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in modules, where
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in CALLS, f"{where}: os.{node.attr}"
        elif isinstance(node, ast.Call):
            assert not OF_SUBPROCESSES & {keyword.arg for keyword in node.keywords}, where
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            looked_at = LOOKED_AT.get(file.relative_to(ROOT).as_posix(), set())
            assert node.value in looked_at or not node.value.startswith(PLACES), where


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_text_is_read_and_written_in_an_encoding_that_is_named(file: Path) -> None:
    for node in nodes(file):
        if not isinstance(node, ast.Call):
            continue
        where = f"{file.relative_to(ROOT)}:{node.lineno}"
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "read_text":
            assert node.args or "encoding" in keywords, where
        elif name == "write_text":
            assert "encoding" in keywords, where
            assert "newline" in keywords, f"{where}: Windows would write \\r\\n"
        elif name in ("run", "Popen", "check_output") and isinstance(node.func, ast.Attribute):
            wants_text = {"text", "universal_newlines"} & keywords.keys()
            assert not wants_text or "encoding" in keywords, where
        elif name == "open" and (isinstance(node.func, ast.Name) or node.args[:1]):
            modes = [arg.value for arg in (*node.args, *keywords.values()) if isinstance(arg, ast.Constant)]
            if any(isinstance(mode, str) and set(mode) <= set("rwaxt+") and mode for mode in modes):
                assert "encoding" in keywords, where
