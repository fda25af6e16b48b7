"""How long a newcomer waits for the first hint: in the shell and in Neovim, step by step, on clones that they have.

    python -m benchmarks.first_hint REPOSITORY...

In a home folder and an environment of its own, for every repository: install from this clone (with uv where it is on
PATH), run `codewm hints` after a method was given a parameter, and wait for the first lens in Neovim, set up by the two
lines of docs/editors.md. The steps in VS Code: scripts/extension.sh walk.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
METHOD: Final = re.compile(r"^( +def \w+\(\s*self, \w+: [\w.]+)(,|\))", re.MULTILINE)
PATIENCE: Final = 300.0
INIT: Final = """
vim.opt.runtimepath:append('{plug_in}')
require('codewm').setup({{}})
"""
LENS: Final = """
vim.cmd('filetype on')
vim.cmd('edit {file}')
local seen = vim.wait({patience}, function() return #vim.lsp.codelens.get(0) > 0 end, 100)
if not seen then vim.cmd('cquit') end
io.stdout:write(vim.lsp.codelens.get(0)[1].command.title)
vim.cmd('qall!')
"""


def main() -> int:
    """Take the steps for each repository."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_hint", description=__doc__)
    parser.add_argument("repositories", nargs="+", type=Path, metavar="REPOSITORY")
    for repository in parser.parse_args().repositories:
        print(repository)
        with tempfile.TemporaryDirectory(prefix="codewm-walk-", ignore_cleanup_errors=True) as folder:
            walk(repository, Path(folder))
    return 0


def walk(repository: Path, folder: Path) -> None:
    """The steps on one repository, with the seconds of each."""
    home = folder / "home"
    home.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CODEWM", "XDG", "PYTHON"))
    }
    environment |= {"HOME": str(home), "PATH": f"{home / '.local' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    file = changed(clone)

    uv = shutil.which("uv")
    if uv:
        with timed("uv tool install ."):
            run([uv, "tool", "install", "--quiet", str(ROOT)], environment, clone)
    else:
        with timed("python -m venv; pip install ."):
            run([sys.executable, "-m", "venv", str(home / ".local")], environment, clone)
            run([str(home / ".local" / "bin" / "pip"), "install", "--quiet", str(ROOT)], environment, clone)
    with timed("codewm hints"):
        said = run(["codewm", "hints"], environment, clone)
    print(f"        {said.count(' %  ')} past edits and predictions")
    if shutil.which("nvim"):
        (home / "init.lua").write_text(INIT.format(plug_in=ROOT / "neovim"), encoding="utf-8")
        script = folder / "lens.lua"
        script.write_text(LENS.format(file=file, patience=int(1000 * PATIENCE)), encoding="utf-8")
        with timed("nvim, to the first lens"):
            title = run(
                ["nvim", "--headless", "-n", "-i", "NONE", "-u", str(home / "init.lua"), "-c", f"luafile {script}"],
                environment,
                clone,
            )
        print(f"        {title.strip()}")


def changed(clone: Path) -> Path:
    """Give the first method with a parameter in the largest source file another one; the file."""
    files = [file for file in clone.rglob("*.py") if "test" not in file.as_posix()]
    for file in sorted(files, key=lambda one: -one.stat().st_size):
        text = file.read_text(encoding="utf-8", errors="replace")
        if METHOD.search(text):
            file.write_text(METHOD.sub(r"\1, timeout: float = 30.0\2", text, count=1), encoding="utf-8")
            return file
    raise SystemExit(f"{clone} has no method to change")


def run(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    """What a program prints. Ends with its complaint where it fails."""
    found = shutil.which(command[0], path=environment["PATH"])
    done = subprocess.run(
        [found or command[0], *command[1:]],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
    return done.stdout


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print how long a step took."""
    began = time.monotonic()
    yield
    print(f"  {time.monotonic() - began:5.0f} s  {step}")


if __name__ == "__main__":
    sys.exit(main())
