"""Whether the names of CodeWM are free, ours or somebody else's: on PyPI, the VS Code Marketplace and Open VSX.

    python scripts/names.py      exit code 1 if a name is somebody else's, or not what package.json says ("published")

It asks for those three names and for nothing else. A name is ours if its description is one that we have, or ever had.
Part of releasing: docs/architecture.md.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pip._internal.models.index import PyPI  # pip knows where its index is

ROOT: Final = Path(__file__).resolve().parents[1]
PATIENCE: Final = 20.0
MARKETPLACE: Final = "https://marketplace.visualstudio.com/_apis/public/gallery/extensionquery"
BY_NAME: Final = 7  # the Marketplace's number for "publisher.extension"
EVERYTHING: Final = 0x3FF

Ask = Callable[[str, "dict[str, Any] | None"], Any]


class State(Enum):
    """Whose a name is."""

    FREE = "free"
    OURS = "ours"
    TAKEN = "somebody else's"


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a registry, and whose it is."""

    registry: str
    name: str
    state: State


def ask(url: str, question: dict[str, Any] | None) -> Any:
    """The JSON at an address, which is asked a question where there is one; None where there is nothing."""
    request = urllib.request.Request(url, headers={"Accept": "application/json;api-version=7.2-preview.1"})
    if question is not None:
        request.data = json.dumps(question).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def names(root: Path, ask: Ask) -> list[Name]:
    """Every name that a release publishes."""
    manifest = json.loads((root / "vscode-extension" / "package.json").read_text(encoding="utf-8"))
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    package = _one(r'^name = "(.*)"$', project)
    publisher, extension = manifest["publisher"], manifest["name"]
    ours = {manifest["description"], _one(r'^description = "(.*)"$', project), *former(root)}

    found = ask(f"{PyPI.pypi_url}/{package}/json", None)
    pypi = _state(found and found["info"]["summary"], ours)
    question = {
        "filters": [{"criteria": [{"filterType": BY_NAME, "value": f"{publisher}.{extension}"}]}],
        "flags": EVERYTHING,
    }
    (answer,) = ask(MARKETPLACE, question)["results"]
    listed = answer["extensions"]
    marketplace = _state(listed[0].get("shortDescription", "") if listed else None, ours)
    found = ask(f"https://open-vsx.org/api/{publisher}/{extension}", None)
    open_vsx = _state(found and found.get("description", ""), ours)
    return [
        Name("PyPI", package, pypi),
        Name("VS Code Marketplace", f"{publisher}.{extension}", marketplace),
        Name("Open VSX", f"{publisher}.{extension}", open_vsx),
    ]


def problems(found: list[Name], *, published: bool) -> list[str]:
    """What has to be put right before a release."""
    said = []
    for one in found:
        if one.state is State.TAKEN:
            said.append(f"{one.name} on {one.registry} is somebody else's. Choose another name.")
        elif one.state is State.OURS and not published:
            said.append(f"{one.name} is on {one.registry}, and vscode-extension/package.json says it is not published.")
    return said


def former(root: Path) -> set[str]:
    """The descriptions that the package and the extension had, as far as the history is there."""
    command = ["git", "log", "--format=", "-p", "-U0", "--", "pyproject.toml", "vscode-extension/package.json"]
    said = subprocess.run(command, cwd=root, capture_output=True, check=False).stdout.decode("utf-8", "replace")
    return set(re.findall(r'^[-+] *"?description"? ?[=:] "(.*)",?$', said, re.MULTILINE))


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"names: pyproject.toml has no line {pattern}")
    return found.group(1)


def _state(described: str | None, ours: set[str]) -> State:
    if described is None:
        return State.FREE
    return State.OURS if described.strip() in ours else State.TAKEN


def main() -> int:
    """Say whose each name is; the exit code."""
    manifest = json.loads((ROOT / "vscode-extension" / "package.json").read_text(encoding="utf-8"))
    try:
        found = names(ROOT, ask)
    except OSError as error:
        print(f"names: a registry does not answer ({error}). Try again.", file=sys.stderr)
        return 1
    for one in found:
        print(f"{one.registry:20} {one.name:14} {one.state.value}")
    said = problems(found, published=manifest["codewm"]["published"])
    for problem in said:
        print(f"names: {problem}", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
