"""Writes the pages that the tests in a browser look at: of a small real repository, and of 50,000 made edits.

    python make_pages.py FOLDER

What a repository may call things is in both: markup in names, subjects, authors and paths.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from codewm_lsp.explore import Atlas, write
from codewm_lsp.explore.atlas import ALIKE, Region
from codewm_lsp.explore.file_graph import FileGraph, FilePair
from codewm_lsp.history import Commit, EditKind
from codewm_lsp.index import PastEdit
from codewm_lsp.source import DefinitionKind

EDITS = 50_000
MARKUP = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


def real(folder: Path) -> None:
    """``codewm explore`` of a repository with a few commits."""
    repository = folder / "repository"
    repository.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        **{"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "CODEWM_CACHE": str(folder / "cache")},
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = "Ada Lovelace", "ada@example.org"

    def run(*command: str, **more: str) -> None:
        subprocess.run(command, cwd=repository, env={**environment, **more}, check=True, capture_output=True)

    run("git", "init", "--quiet")
    names = ("get", "post", "put", "delete", "head", "options")
    for number in range(len(names) + 1):
        text = "\n\n".join(
            f"def {name}(url{', timeout=30' if at < number else ''}):\n"
            f'    return send("{name}", url{", timeout" if at < number else ""})\n'
            for at, name in enumerate(names)
        )
        (repository / "client.py").write_text(text, encoding="utf-8")
        (repository / "guide.md").write_text(f"{number}\n", encoding="utf-8")
        subject = f"Add a timeout to {names[number - 1]}()" if number else f"Start {MARKUP}"
        date = f"{1_700_000_000 + 86_400 * number} +0000"
        run("git", "add", "--all")
        run(
            *("git", "commit", "--quiet", "--message", subject, "--author", "Grace (b) <g@example.org>"),
            GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_DATE=date,
        )
    run(
        *(sys.executable, "-c", "from codewm_lsp.cli import main; main()"),
        *("explore", "--with-diffs", "--no-open", "--output", str(folder / "real")),
    )


def many(folder: Path) -> None:
    """A page of as many edits as a map holds."""
    generator = np.random.default_rng(0)
    middles = generator.random((60, 2))
    of_region = generator.integers(60, size=EDITS)
    places = (middles[of_region] + generator.normal(scale=0.03, size=(EDITS, 2))).clip(0, 1).astype(np.float32)
    definitions = tuple(
        (f"src/{chr(97 + number % 26)}/{MARKUP if number == 7 else f'module_{number % 400}'}.py", f"Class{number}.run")
        for number in range(9_000)
    )
    of = generator.integers(len(definitions), size=EDITS)
    commits = [
        Commit(
            f"{number:040x}",
            MARKUP if number == 3 else f"Author {number % 40}",
            1_700_000_000 - 3_000 * number,
            MARKUP if number == 5 else f"Change number{number} of the timeouts",
            None,
        )
        for number in range(EDITS // 4)
    ]
    edits = tuple(
        PastEdit(
            number + 1,
            commits[number // 4],
            *definitions[of[number]],
            DefinitionKind.METHOD,
            list(EditKind)[number % 3],
            number % 900,
        )
        for number in range(EDITS)
    )
    files = 300
    pairs = tuple(FilePair(number, (number * 7 + 1) % files, 3 + number % 20) for number in range(files - 1))
    write(
        Atlas(
            name=MARKUP,
            head="a" * 40,
            commits=len(commits) + 1,
            indexed=len(commits),
            left_out=12,
            edits=edits,
            places=places,
            alike=generator.integers(EDITS, size=(EDITS, ALIKE)),
            definitions=definitions,
            of=of,
            alive=tuple(number % 10 != 0 for number in range(len(definitions))),
            in_head=frozenset(path for path, _ in definitions).union(
                f"src/file_{number}.py" for number in range(files) if number % 10
            ),
            regions=tuple(Region(float(x), float(y), 800, ("words", f"of{at}")) for at, (x, y) in enumerate(middles)),
            files=FileGraph(
                tuple((f"src/file_{number}.py", 5 + number) for number in range(files)),
                pairs,
                generator.random((files, 2)).astype(np.float32),
            ),
            diffs=None,
        ),
        folder / "many",
        overwrite=True,
    )


if __name__ == "__main__":
    real(Path(sys.argv[1]))
    many(Path(sys.argv[1]))
