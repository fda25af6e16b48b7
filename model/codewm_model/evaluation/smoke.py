"""Small repositories with a history of their own, made by Git from nothing: a smoke test needs no clones."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import numpy as np

from codewm_lsp.errors import OptionError

COMMITS: Final = 28
_SUBJECTS: Final = {
    "alpha/orders": "order invoice payment customer basket total currency discount voucher refund",
    "beta/sensors": "sensor reading voltage channel sample filter threshold alarm battery device",
    "gamma/library": "book author shelf loan reader branch catalogue fine title copy",
}
_FILES: Final = 3
_FUNCTIONS: Final = 10
_TOOLS: Final = 4  # every so many commits a file comes, and one goes
_ARGUMENTS: Final = ("timeout", "verbose", "encoding", "retries", "limit", "default", "strict", "prefix")


def make_repositories(folder: Path) -> list[str]:
    """Make three bare repositories below ``folder`` and return their names, owner/name.

    Raises OptionError when Git cannot be run.
    """
    for number, (name, nouns) in enumerate(_SUBJECTS.items()):
        target = folder / name.replace("/", "+")
        try:
            subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(target)], check=True)
            subprocess.run(
                ["git", "-C", str(target), "fast-import", "--quiet"], input=_history(number, nouns.split()), check=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise OptionError(f"--smoke makes its repositories with Git, which failed: {error}") from error
    return list(_SUBJECTS)


class _Function:
    """A function whose text follows from a few settings, so that an edit is a change of one of them."""

    def __init__(self, verb: str, noun: str, other: str) -> None:
        self.name = f"{verb}_{noun}"
        self.noun, self.other = noun, other
        self.arguments: list[str] = []
        self.checks: list[str] = []
        self.documented = False

    def text(self) -> str:
        arguments = "".join(f", {name}=None" for name in self.arguments)
        lines = [f"def {self.name}({self.noun}, {self.other}{arguments}):"]
        if self.documented:
            lines.append(f'    """Return the {self.other} of a {self.noun}."""')
        lines += [f"    if {check} is None:\n        raise ValueError('{check} is missing')" for check in self.checks]
        lines += [f"    result = {self.noun}.{self.other}({', '.join([self.other, *self.arguments])})"]
        lines += ["    return result"]
        return "\n".join(lines) + "\n"


def _history(seed: int, nouns: list[str]) -> bytes:
    """A stream for ``git fast-import``: commits that change a few functions alike, add some, remove some."""
    random = np.random.default_rng(seed)
    verbs = ("load", "save", "check", "merge", "print", "count", "find", "sort", "copy", "send", "drop", "list")

    def new(file: int) -> _Function:
        noun, other = (nouns[int(i)] for i in random.choice(len(nouns), 2, replace=False))
        taken = {function.name for function in files[file]}
        verb = next((v for v in random.permutation(verbs) if f"{v}_{noun}" not in taken), "make")
        return _Function(str(verb), noun, other)

    files: list[list[_Function]] = [[] for _ in range(_FILES)]
    for file in range(_FILES):
        while len(files[file]) < _FUNCTIONS:
            function = new(file)
            if function.name not in {known.name for known in files[file]}:
                files[file].append(function)
    out: list[bytes] = []
    for commit in range(COMMITS):
        what = int(random.integers(5)) if commit else -1
        argument = str(random.choice(_ARGUMENTS))
        picked = [
            files[file][int(row)]
            for file in random.choice(_FILES, 2, replace=False)
            for row in random.choice(len(files[file]), 2, replace=False)
        ]
        if what == 0:
            for function in picked:
                function.arguments = [*(a for a in function.arguments if a != argument), argument]
        elif what == 1:
            for function in picked:
                function.arguments = function.arguments[1:] if function.arguments else [argument]
        elif what == 2:
            for function in picked:
                function.checks = sorted({*function.checks, function.noun}) if not function.checks else []
        elif what == 3:
            for function in picked:
                function.documented = not function.documented
                function.other = nouns[(nouns.index(function.other) + 1) % len(nouns)]
        elif what == 4:
            for file in random.choice(_FILES, 2, replace=False):
                function = new(int(file))
                if function.name in {known.name for known in files[file]}:
                    files[file] = [known for known in files[file] if known.name != function.name]
                elif len(files[file]) < 2 * _FUNCTIONS:
                    files[file].append(function)
        message = f"Change {argument} ({what})".encode()
        out.append(b"commit refs/heads/main\nmark :%d\n" % (commit + 1))
        out.append(b"committer Smoke <smoke@example.invalid> %d +0000\n" % (1_600_000_000 + 86_400 * commit))
        out.append(b"data %d\n%s\n" % (len(message), message))
        if commit:
            out.append(b"from :%d\n" % commit)
        for number, functions in enumerate(files):
            text = "\n\n".join(function.text() for function in functions).encode()
            out.append(b"M 100644 inline package/module_%d.py\ndata %d\n%s\n" % (number, len(text), text))
        if commit % _TOOLS == _TOOLS - 1:  # a file comes, and goes again a few commits later
            text = picked[0].text().encode()
            out.append(b"M 100644 inline package/tool_%d.py\ndata %d\n%s\n" % (commit, len(text), text))
        elif commit % _TOOLS == 1 and commit > _TOOLS:
            out.append(b"D package/tool_%d.py\n" % (commit - 2))
    return b"".join(out)
