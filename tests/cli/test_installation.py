"""What is missing is installed by the tool that installed CodeWM, from where it came; and so is CodeWM uninstalled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codewm_lsp.installation import Installation

ROOT = Path(__file__).resolve().parents[2]
UV, PIPX = Path("/home/ada/.local/share/uv/tools/codewm"), Path("/home/ada/.local/share/pipx/venvs/codewm")
UVX, USR = Path("/home/ada/.cache/uv/archive-v0/k3"), Path("/usr")
WHEEL, HOSTED = "/src/codewm-1-py3-none-any.whl", "git+https://example.org/codewm"


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        (UV, "uv tool uninstall codewm"),
        (PIPX, "pipx uninstall codewm"),
        (UVX, "uv cache clean codewm"),
        (Path("/home/ada/src/uv/.venv"), "pip uninstall codewm"),
        (USR, "pip uninstall codewm"),
    ],
)
def test_it_is_uninstalled_by_the_tool_that_installed_it(environment: Path, command: str) -> None:
    assert Installation(environment).removing() == command


@pytest.mark.parametrize(
    ("left", "command"),
    [("uv-receipt.toml", "uv tool uninstall codewm"), ("pipx_metadata.json", "pipx uninstall codewm")],
)
def test_a_tool_that_keeps_its_environments_elsewhere_is_known_by_what_it_leaves(
    left: str, command: str, tmp_path: Path
) -> None:
    assert Installation(tmp_path).removing() == "pip uninstall codewm"
    (tmp_path / left).touch()
    assert Installation(tmp_path).removing() == command


@pytest.mark.parametrize(
    ("installation", "command"),
    [
        (Installation(USR), "pip install 'codewm[train]'"),
        (Installation(USR, "/src/codewm", editable=True), "pip install -e '/src/codewm[train]'"),
        (Installation(USR, HOSTED), f"pip install 'codewm[train] @ {HOSTED}'"),
        (Installation(UV, "/src/code wm"), "uv tool install '/src/code wm[train]'"),
        (Installation(UV, WHEEL), f"uv tool install '{WHEEL}[train]'"),
        (Installation(PIPX, "/src/codewm"), "pipx install --force '/src/codewm[train]'"),
        (Installation(UVX, "/src/codewm"), "uvx --from '/src/codewm[train]'"),
    ],
)
def test_an_extra_is_installed_as_codewm_was(installation: Installation, command: str) -> None:
    assert installation.adding("train").replace('"', "'") == command


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        (UV, "uv tool install '/src/codewm[mcp,postgres,train]'"),
        (PIPX, "pipx install --force '/src/codewm[mcp,postgres,train]'"),
        (USR, "pip install '/src/codewm[mcp]'"),  # which keeps what is there
    ],
)
def test_a_tool_that_drops_extras_is_told_those_that_are_installed(environment: Path, command: str) -> None:
    installation = Installation(environment, "/src/codewm", extras=("train", "postgres"))
    assert installation.adding("mcp").replace('"', "'") == command


@pytest.mark.parametrize(
    ("recorded", "source"),
    [
        ({"url": "file:///src/code%20wm", "dir_info": {}}, "/src/code wm[mcp]"),
        ({"url": "https://example.org/codewm", "vcs_info": {"vcs": "git", "commit_id": "1"}}, HOSTED),
        ({}, "codewm[mcp]"),
        ([], "codewm[mcp]"),
        ("no JSON", "codewm[mcp]"),
    ],
)
def test_the_running_program_knows_where_it_came_from(recorded: object, source: str, tmp_path: Path) -> None:
    about = tmp_path / "codewm-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: codewm\nVersion: 0.1.0\n")
    (about / "direct_url.json").write_text(recorded if isinstance(recorded, str) else json.dumps(recorded))
    code = "from codewm_lsp.installation import install_command; print(install_command('mcp'))"
    alone = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    said = subprocess.run([sys.executable, "-S", "-c", code], env=alone, capture_output=True, text=True, check=True)
    assert source in said.stdout.replace("\\", "/")


def test_the_running_program_knows_which_extras_are_installed(tmp_path: Path) -> None:
    requires = [
        "numpy>=1",
        "one>=2; extra == 'train'",
        'Two_b[x]>=1 ; extra == "train"',
        "old>=1; python_version < '3' and extra == 'train'",
        "one>=2; extra == 'mcp'",
        "three; extra == 'mcp'",
    ]
    for name, wanted in (("codewm", requires), ("one", []), ("two-b", [])):
        about = tmp_path / f"{name.replace('-', '_')}-0.1.0.dist-info"
        about.mkdir()
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            "Version: 0.1.0",
            *(f"Requires-Dist: {one}" for one in wanted),
        ]
        (about / "METADATA").write_text("\n".join(lines) + "\n")
    shutil.copytree(ROOT / "codewm_lsp", tmp_path / "codewm_lsp")  # beside the clone lies what it was installed as
    code = "from codewm_lsp.installation import this_installation; print(this_installation().extras)"
    alone = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-S", "-c", code]
    said = subprocess.run(command, env=alone, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "('train',)\n"
