"""Writes an atlas as one page that opens from the disk: no server, no other file, nothing that is fetched.

Everything lies in ``index.html``: scripts and styles, which the page's policy names by their hashes, so that nothing
else runs, and the data as base64 of gzip, in blocks that no browser runs and that can hold no markup. What a repository
says is shown as text only.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Final

import codewm_lsp
from codewm_lsp.display import clean, place_name
from codewm_lsp.explore.atlas import Atlas
from codewm_lsp.history.repository import MAX_FILES
from codewm_lsp.output_folder import claim

PAGE: Final = "index.html"
MAKER: Final = "codewm explore"
FORMAT: Final = 1

SCRIPTS: Final = ("data.js", "search.js", "stage.js", "lists.js", "main.js")
_STYLES: Final = ("explore.css",)
_LONGEST: Final = 300  # characters of a path, a name, a subject, an author
_SHA: Final = 12  # digits of a commit's id that are shown
_GRID: Final = 9_999  # steps of a coordinate
_DIFFS_AT_ONCE: Final = 256  # edits of a block of diffs: one is read at a time


def write(atlas: Atlas, folder: Path, *, overwrite: bool) -> Path:
    """Write the page into ``folder``, an empty one or one of ours; its file. Raises OptionError, OSError."""
    claim(folder, MAKER, results=(PAGE,), overwrite=overwrite)
    file = folder / PAGE
    new = folder / f"{PAGE}.new"
    new.write_text(page(atlas), encoding="utf-8", newline="\n")
    new.replace(file)
    return file


def page(atlas: Atlas) -> str:
    """The page as HTML."""
    scripts = [_asset(name) for name in SCRIPTS]
    styles = [_asset(name) for name in _STYLES]
    policy = (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    blocks: list[tuple[str, object]] = [("data", record(atlas))]
    if atlas.diffs is not None:
        blocks += [(f"diffs-{number}", list(some)) for number, some in enumerate(_sliced(atlas.diffs, _DIFFS_AT_ONCE))]
    parts = {
        "title": html.escape(f"{atlas.name}: past edits"),
        "policy": html.escape(policy),
        "styles": "".join(f"<style>{text}</style>\n" for text in styles),
        "data": "".join(
            f'<script type="application/gzip" id="{name}">{_packed(value)}</script>\n' for name, value in blocks
        ),
        "scripts": "".join(f"<script>{text}</script>\n" for text in scripts),
    }
    text = _asset("page.html")
    for name, value in parts.items():
        before, mark, after = text.partition(f"<!--{name}-->")
        if not mark:
            raise AssertionError(f"page.html has no place for {name}")
        text = before + value + after
    return text


def record(atlas: Atlas) -> dict[str, object]:
    """The data of the page, but for the diffs; ``viewer/data.js`` has its types. Columns, to be small."""
    commits: dict[str, int] = {}
    authors: dict[str, int] = {}
    paths: dict[str, int] = {}
    rows: list[tuple[int, int, str]] = []  # author, date, subject of each commit
    commit_of = []
    for edit in atlas.edits:
        if edit.commit.sha not in commits:
            commits[edit.commit.sha] = len(commits)
            author = authors.setdefault(_text(edit.commit.author), len(authors))
            rows.append((author, edit.commit.date, _text(edit.commit.subject)))
        commit_of.append(commits[edit.commit.sha])
    definitions = [
        (paths.setdefault(_text(path), len(paths)), _text(place_name(name))) for path, name in atlas.definitions
    ]
    grid = (atlas.places.clip(0, 1) * _GRID).round().astype(int)
    files = atlas.files
    in_head = {_text(path) for path in atlas.in_head}
    return {
        "format": FORMAT,
        "made_by": f"codewm {codewm_lsp.__version__}",
        "name": _text(atlas.name),
        "head": atlas.head[:_SHA],
        "reached": atlas.commits,
        "indexed": atlas.indexed,
        "left_out": atlas.left_out,
        "most_files": MAX_FILES,
        "grid": _GRID,
        "authors": list(authors),
        "paths": list(paths),
        "in_head": [int(path in in_head) for path in paths],
        "commits": {
            "sha": [sha[:_SHA] for sha in commits],
            "author": [row[0] for row in rows],
            "date": [row[1] for row in rows],
            "subject": [row[2] for row in rows],
        },
        "definitions": {
            "path": [path for path, _ in definitions],
            "name": [name for _, name in definitions],
            "alive": [int(one) for one in atlas.alive],
        },
        "edits": {
            "x": grid[:, 0].tolist(),
            "y": grid[:, 1].tolist(),
            "kind": [edit.kind.value[0] for edit in atlas.edits],
            "commit": commit_of,
            "definition": atlas.of.tolist(),
            "line": [edit.line + 1 for edit in atlas.edits],
            "alike": atlas.alike.tolist(),
        },
        "regions": [
            {
                "x": round(one.x, 4),
                "y": round(one.y, 4),
                "edits": one.edits,
                "words": [_text(word) for word in one.words],
            }
            for one in atlas.regions
        ],
        "files": {
            "path": [_text(path) for path, _ in files.files],
            "commits": [count for _, count in files.files],
            "in_head": [int(path in atlas.in_head) for path, _ in files.files],
            "x": (files.positions[:, 0] * _GRID).round().astype(int).tolist(),
            "y": (files.positions[:, 1] * _GRID).round().astype(int).tolist(),
            "pairs": [[pair.one, pair.other, pair.together] for pair in files.pairs],
        },
        "diffs": None if atlas.diffs is None else {"count": len(atlas.diffs), "at_once": _DIFFS_AT_ONCE},
    }


def _text(text: str) -> str:
    return clean(text, _LONGEST)


def _sliced(texts: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    for begin in range(0, len(texts), size):
        yield texts[begin : begin + size]


def _packed(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(text, 6, mtime=0)).decode("ascii")


def _asset(name: str) -> str:
    return resources.files("codewm_lsp.explore").joinpath("viewer").joinpath(name).read_text(encoding="utf-8")


def _hashes(texts: Iterable[str]) -> str:
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'" for text in texts
    )
