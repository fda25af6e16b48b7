"""What people are told to install exists: ``pip install codewm`` is said only once a release is out."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = json.loads((ROOT / "vscode-extension" / "package.json").read_text(encoding="utf-8"))
# Installed from PyPI by name: an extra of a package that is there already is another matter.
BY_NAME = re.compile(r"(?:pip|pipx|uv tool) install (?:--upgrade )?['\"]?codewm(?![\w\[-])|uvx codewm")


def sentences() -> dict[str, str]:
    """The text files that are tracked, but those that decide what to say by looking."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    kinds = (".md", ".py", ".lua", ".txt", ".ts", ".json", ".toml", ".yml")
    left_out = (
        "tests/",
        "docs/evaluation/",
        "neovim/lua/codewm/install.lua",
        "CHANGELOG.md",
        "scripts/published.py",
        ".github/",
    )
    files = [name for name in listed.split("\0") if name.endswith(kinds) and not name.startswith(left_out)]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in files if (ROOT / name).is_file()}


def test_the_name_is_given_to_pip_only_when_it_is_published() -> None:
    told = {name for name, text in sentences().items() if BY_NAME.search(text)}
    if MANIFEST["codewm"]["published"]:
        assert "README.md" in told
    else:
        assert told == set()


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "published.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_everything_says_what_the_manifest_says() -> None:
    done = run(ROOT, "--check")
    assert done.returncode == 0, done.stdout


def test_one_word_in_the_manifest_changes_what_is_said_everywhere_and_back(tmp_path: Path) -> None:
    manifest = "vscode-extension/package.json"
    pages = sorted({name for name, _, _ in runpy.run_path(str(ROOT / "scripts" / "published.py"))["SAID"]})
    for name in ("scripts/published.py", manifest, *pages):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    as_it_is = {name: (tmp_path / name).read_bytes() for name in pages}
    text = (tmp_path / manifest).read_text(encoding="utf-8")
    now = MANIFEST["codewm"]["published"]
    was, turned = f'"published": {str(now).lower()}', f'"published": {str(not now).lower()}'
    (tmp_path / manifest).write_text(text.replace(was, turned), encoding="utf-8")
    assert run(tmp_path, "--check").returncode == 1
    assert run(tmp_path).returncode == 0
    assert run(tmp_path, "--check").returncode == 0
    assert all((tmp_path / name).read_bytes() != before for name, before in as_it_is.items())
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert bool(BY_NAME.search(readme)) is not now
    assert ("not on PyPI" in readme) is now
    (tmp_path / manifest).write_text(text, encoding="utf-8")
    assert run(tmp_path).returncode == 0
    assert {name: (tmp_path / name).read_bytes() for name in pages} == as_it_is
    (tmp_path / "README.md").write_text("Nothing of the kind.\n", encoding="utf-8")
    assert run(tmp_path).returncode == 1


def test_the_sentence_that_is_looked_for_is_recognised() -> None:
    for said in ("pip install codewm", "pip install --upgrade codewm", "uv tool install codewm", "uvx codewm hints"):
        assert BY_NAME.search(said)
    for said in ("pip install 'codewm[train]'", "pip install /path/to/codewm", "pip install codewm-0.1.0.whl"):
        assert not BY_NAME.search(said)
