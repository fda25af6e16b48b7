"""The documentation's site: builds without a warning, has every page in its menu, and asks no other machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = (
    *("docs", "scripts", "mkdocs.yml", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "README.md"),
    "vscode-extension/README.md",
)
LINKED = (  # folders: that they are there will do
    *("neovim", "examples/agents", "examples/architecture", "examples/lsp4ij", "examples/sky", "recipes"),
    *("tests/security", "tests/history"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("zensical")
    root = tmp_path_factory.mktemp("site")
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name)
        else:
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, root / name)
    for name in LINKED:
        (root / name).mkdir(parents=True, exist_ok=True)
    build(root)
    return root


def build(root: Path) -> None:
    for command in (["scripts/site.py"], ["-m", "zensical", "build", "--strict", "--config-file", "mkdocs.yml"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=root,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_in_the_menu_and_every_entry_is_a_page(site: Path) -> None:
    menu = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    pages = {file.relative_to(site / "build" / "docs").as_posix() for file in (site / "build" / "docs").rglob("*.md")}
    assert menu <= pages
    assert {page for page in pages if "/" not in page} <= menu  # reports may be linked from the page they are about
    for page in pages:
        assert (site / "build" / "site" / page).with_suffix(".html").is_file(), page


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list((site / "build" / "site").rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|iframe)[^>]+src=\"?(?:https?:)?//[^\s\">]+", text), page
        assert not re.findall(r"<link[^>]+rel=\"?(?:stylesheet|preconnect)[^>]+href=\"?(?:https?:)?//", text), page


def test_a_link_that_leads_nowhere_ends_the_build(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "copy", ignore=shutil.ignore_patterns("build"))
    (tmp_path / "copy" / "docs" / "index.md").write_text("# Home\n\n[there](nowhere.md)\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"nowhere\.md"):
        build(tmp_path / "copy")


def test_an_anchor_that_is_linked_is_a_heading(site: Path) -> None:
    for page in (site / "build" / "site").rglob("*.html"):
        for path, anchor in re.findall(r'href="?([\w./-]*\.html)#([\w-]+)', page.read_text(encoding="utf-8")):
            there = (page.parent / path).resolve()
            assert re.search(rf'id="?{re.escape(anchor)}[">\s]', there.read_text(encoding="utf-8")), (
                f"{page}: {path}#{anchor}"
            )
