"""What people are told to install exists: ``pip install codewm`` is said only once a release is out."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = json.loads((ROOT / "vscode-extension" / "package.json").read_text(encoding="utf-8"))
# Installed from PyPI by name: an extra of a package that is there already is another matter.
BY_NAME = re.compile(r"(?:pip|pipx|uv tool) install (?:--upgrade )?['\"]?codewm(?![\w\[-])|uvx codewm")


def sentences() -> dict[str, str]:
    """The text files that are tracked, but the one that decides what to say by looking."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    kinds = (".md", ".py", ".lua", ".txt", ".ts", ".json", ".toml", ".yml")
    left_out = ("tests/", "docs/evaluation/", "neovim/lua/codewm/install.lua", "CHANGELOG.md", ".github/")
    files = [name for name in listed.split("\0") if name.endswith(kinds) and not name.startswith(left_out)]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in files if (ROOT / name).is_file()}


def test_the_name_is_given_to_pip_only_when_it_is_published() -> None:
    told = {name for name, text in sentences().items() if BY_NAME.search(text)}
    if MANIFEST["codewm"]["published"]:
        assert "README.md" in told
    else:
        assert told == set()


def test_the_plug_in_for_neovim_knows_whether_it_is_published() -> None:
    text = (ROOT / "neovim" / "lua" / "codewm" / "install.lua").read_text(encoding="utf-8")
    assert f"M.PUBLISHED = {str(MANIFEST['codewm']['published']).lower()} " in text


def test_the_sentence_that_is_looked_for_is_recognised() -> None:
    for said in ("pip install codewm", "pip install --upgrade codewm", "uv tool install codewm", "uvx codewm hints"):
        assert BY_NAME.search(said)
    for said in ("pip install 'codewm[train]'", "pip install /path/to/codewm", "pip install codewm-0.1.0.whl"):
        assert not BY_NAME.search(said)
