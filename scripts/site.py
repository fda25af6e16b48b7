"""Gathers the pages of the documentation's site in ``build/docs``: those of ``docs/``, and four from elsewhere.

Links are made to fit. What is linked in the repository but is no page (a folder of code, an example) is shown as its
name; a link to something that is not there at all ends with an error. Run by ``make docs``.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = {
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "vscode-extension/README.md": "vscode.md",
}
NOT_PAGES: Final = ("*.py", "*.json")
_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def relinked(markdown: str, source: str, page: str) -> str:
    """``markdown`` of the file ``source`` of the repository, with links as they are on the page ``page``."""

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if not path or ":" in path:
            return found[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (ROOT / there).exists():
            sys.exit(f"{source} links {target}, and there is no {there}")
        there = PAGES.get(there, there.removeprefix("docs/") if there.startswith("docs/") else "")
        if not there:
            return words
        return f"{picture}[{words}]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{hash_}{anchor})"

    return _LINK.sub(link, markdown)


def gather(target: Path) -> None:
    """Write all pages and pictures into ``target``, which is emptied before."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target, ignore=shutil.ignore_patterns(*NOT_PAGES))
    for page in sorted(target.rglob("*.md")):
        name = page.relative_to(target).as_posix()
        page.write_text(
            relinked(page.read_text(encoding="utf-8"), f"docs/{name}", name), encoding="utf-8", newline="\n"
        )
    for source, name in PAGES.items():
        text = relinked((ROOT / source).read_text(encoding="utf-8"), source, name)
        (target / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    gather(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "docs")
