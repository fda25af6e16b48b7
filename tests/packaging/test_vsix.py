"""Building the .vsix asks for Node and npm, says so, and fails where they are missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELL = shutil.which("sh")
pytestmark = pytest.mark.skipif(SHELL is None, reason="no sh on this system")


def package(programs: Path) -> subprocess.CompletedProcess[str]:
    """``scripts/vsix.sh`` with nothing on PATH but some tools every system has and what is in ``programs``."""
    for tool in ("dirname", "sed", "rm", "ls", "cp", "mkdir", "touch"):
        found = shutil.which(tool)
        assert found is not None
        (programs / tool).symlink_to(found)
    return subprocess.run(
        [str(SHELL), str(ROOT / "scripts" / "vsix.sh")],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!{SHELL}\n{text}\n", encoding="utf-8")
    file.chmod(0o755)


def test_without_node_it_fails_and_says_what_to_install(tmp_path: Path) -> None:
    done = package(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "vsix: node is not on PATH. Install Node.js 20 or newer (https://nodejs.org), which brings npm.\n"
    )


def test_with_an_old_node_it_fails_and_names_its_version(tmp_path: Path) -> None:
    program(tmp_path, "npm", "exit 0")
    program(tmp_path, "node", 'if [ "$1" = --version ]; then echo v18.1.0; else exit 1; fi')
    done = package(tmp_path)
    assert done.returncode == 1
    assert "Node v18.1.0 is too old: install Node.js 20 or newer" in done.stderr


def test_the_target_of_the_makefile_is_that_script_and_nothing_else() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    _, _, rest = text.partition("\nvsix:")
    recipe = rest.partition("\n\n")[0]
    assert recipe.splitlines()[1:] == ["\t@sh scripts/vsix.sh"]
    assert recipe.splitlines()[0].split("##")[0].strip() == ""  # no prerequisites
