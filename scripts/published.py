"""Say how CodeWM is installed wherever that is said, by whether it is published: ``published.py [--check]``.

One place decides: ``"codewm": {"published": …}`` in vscode-extension/package.json. A release sets it to true and runs
this; with ``--check`` nothing is written, and the exit code is 1 if a file says something else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]

# (file, what it says until CodeWM is published, what it says from then on)
SAID: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "README.md",
        """\
uv tool install .     # in a clone of this repository; `pipx install .` and `pip install .` work too
codewm doctor         # check the installation
codewm hints          # in""",
        """\
uv tool install codewm     # `pipx install codewm` and `pip install codewm` work too
codewm doctor              # check the installation
codewm hints               # in""",
    ),
    (
        "README.md",
        """\
It needs Python 3.10 or newer and Git, and is not on PyPI yet. To try it without installing:
`uvx --from /path/to/the/clone codewm hints`. See [""",
        "It needs Python 3.10 or newer and Git. To try it without installing: `uvx codewm hints`. See [",
    ),
    (
        "README.md",
        "`make vsix`, then `code --install-extension vscode-extension/codewm.vsix` (",
        "`code --install-extension codewm.codewm` (",
    ),
    (
        "README.md",
        "uv tool install '.[train]'     # or with pipx or pip, as above\n",
        "uv tool install 'codewm[train]'     # or with pipx or pip, as above\n",
    ),
    (
        "docs/install.md",
        """\
CodeWM is not on PyPI yet. Install it from a clone of its repository, or from the wheel on a release's page:

```sh
uv tool install .          # in the clone; for a release: uv tool install ./codewm-0.1.0-py3-none-any.whl
""",
        """\
```sh
uv tool install codewm
""",
    ),
    (
        "docs/install.md",
        """\
`pipx install .` and `pip install .` work too, also in a conda environment, and there""",
        """\
`pipx install codewm` and `pip install codewm` work too, also in a conda environment, and there""",
    ),
    (
        "docs/install.md",
        "`uvx --from /path/to/codewm codewm hints`.",
        "`uvx codewm hints`.",
    ),
    (
        "docs/install.md",
        """\
- **VS Code**: `make vsix` (needs Node 20 or newer and npm), then
  `code --install-extension vscode-extension/codewm.vsix`; a release's page also has the `.vsix`. The extension
  looks""",
        """\
- **VS Code**: `code --install-extension codewm.codewm`, or the `.vsix` on a release's page. The extension
  looks""",
    ),
    (
        "docs/install.md",
        "The `.vsix` of a release contains the server; so does one built after `make wheel`, from the same checkout.",
        "The `.vsix` of a release contains the server.",
    ),
    ("docs/training.md", "pip install '.[train]'\n", "pip install 'codewm[train]'\n"),
    ("docs/training.md", "`pip install '.[sweep]'`", "`pip install 'codewm[sweep]'`"),
    (
        "docs/agents.md",
        "in a clone, run `uv tool install '.[mcp]'` or `pip install '.[mcp]'`.",
        "run `uv tool install 'codewm[mcp]'` or `pip install 'codewm[mcp]'`.",
    ),
    ("docs/agents.md", "\n`uv tool install '.[mcp,train]'`,", "\n`uv tool install 'codewm[mcp,train]'`,"),
    ("README.md", "`uv tool install '.[mcp,train]'`.", "`uv tool install 'codewm[mcp,train]'`."),
    (
        "vscode-extension/media/walkthrough/install.md",
        """\
- from a clone of CodeWM: `uv tool install .`, `pipx install .` or `pip install .`
- from a release: the same with the name of its wheel in place of the dot
""",
        """\
`uv tool install codewm`, `pipx install codewm` or `pip install codewm`
""",
    ),
    ("neovim/lua/codewm/install.lua", "M.PUBLISHED = false", "M.PUBLISHED = true"),
)


def main() -> int:
    """Write what is to be said; with ``--check`` only say which files say something else."""
    manifest = json.loads((ROOT / "vscode-extension" / "package.json").read_text(encoding="utf-8"))
    wrong = 0
    for name, before, after in SAID:
        wanted, other = (after, before) if manifest["codewm"]["published"] else (before, after)
        file = ROOT / name
        text = file.read_text(encoding="utf-8")
        if text.count(wanted) == 1:
            continue
        wrong += 1
        if text.count(other) != 1:
            print(f"{name} says neither of these once; change it, or scripts/published.py:\n{before}\n{after}")
            return 1
        if "--check" in sys.argv:
            print(f"{name} is not as vscode-extension/package.json says (published). Run scripts/published.py.")
        else:
            file.write_text(text.replace(other, wanted), encoding="utf-8", newline="\n")
            print(f"{name} was written.")
    return 1 if wrong and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
