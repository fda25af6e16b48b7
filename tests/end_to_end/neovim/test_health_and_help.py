"""``:checkhealth codewm`` says what is well and what is wrong; the help is complete and its links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import codewm_lsp
from tests.end_to_end.neovim.conftest import ROOT, Neovim

HELP = (ROOT / "neovim" / "doc" / "codewm.txt").read_text(encoding="utf-8")

WELL = """
setup()
lens()
vim.cmd('checkhealth codewm')
finish({ health = buffer() })
"""

MISSING = """
setup({ cmd = { 'codewm-lsp-that-is-not-there', '--stdio' } })
vim.cmd('checkhealth codewm')
finish({ health = buffer() })
"""

BROKEN = """
setup({ cmd = { vim.env.BROKEN_PYTHON, '-c', 'raise SystemExit("no module named codewm_lsp")', '--stdio' } })
vim.cmd('checkhealth codewm')
finish({ health = buffer() })
"""

NOT_SET_UP = """
vim.opt.runtimepath:prepend(vim.env.CODEWM_PLUGIN)
vim.cmd('checkhealth codewm')
finish({ health = buffer() })
"""

TAGS = """
vim.fn.mkdir(vim.env.HELP .. '/doc', 'p')
vim.fn.writefile(vim.fn.readfile(vim.env.CODEWM_PLUGIN .. '/doc/codewm.txt'), vim.env.HELP .. '/doc/codewm.txt')
vim.cmd('helptags ' .. vim.env.HELP .. '/doc')
vim.opt.runtimepath:prepend(vim.env.HELP)
local result = { lost = {}, tags = vim.fn.readfile(vim.env.HELP .. '/doc/tags') }
for _, link in ipairs(vim.fn.json_decode(vim.env.LINKS)) do
  if not pcall(vim.cmd, 'help ' .. link) then table.insert(result.lost, link) end
end
vim.opt.runtimepath:prepend(vim.env.CODEWM_PLUGIN)
require('codewm').register()
result.commands = vim.tbl_filter(function(name)
  return name:find('^Codewm')
end, vim.tbl_keys(vim.api.nvim_get_commands({})))
finish(result)
"""


HELP_AFTER_SETUP = """
vim.opt.runtimepath:prepend(vim.env.PLUGIN)
require('codewm').setup({ cmd = vim.fn.json_decode(vim.env.CODEWM_SERVER) })
local found = pcall(vim.cmd, 'help codewm')
finish({ found = found, help = buffer() })
"""


def marked(health: list[str], mark: str) -> list[str]:
    """The lines of a report that are OK, INFO, WARNING or ERROR, however this Neovim writes them."""
    return [line for line in health if re.search(rf"\b{mark}\b", line)]


def test_all_is_well(changed: Any, neovim: Neovim) -> None:
    health = neovim(WELL, changed.path)["health"]
    assert marked(health, "ERROR") == []
    assert marked(health, "WARNING") == []
    fine = "\n".join(marked(health, "OK"))
    assert f"server: {sys.executable} (codewm-lsp {codewm_lsp.__version__})" in fine
    assert "git: git version" in fine
    assert "model: codewm-base" in fine
    assert "repository: " in fine
    assert "5 commits, 5 Python files" in fine
    assert re.search(r"client: running for .*: 1 buffer, (1 lens|([2-9]|[1-9]\d+) lenses)$", fine, re.MULTILINE)


def test_everything_has_the_name_and_the_words_that_the_doctor_gives_it(changed: Any, neovim: Neovim) -> None:
    health = neovim(WELL, changed.path)["health"]
    program = [sys.executable, "-c", "from codewm_lsp.cli import main; main()", "doctor", "--json", "-C", changed.path]
    report = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
    said = "\n".join(health)
    for one in report["findings"]:
        same = one["name"] in ("codewm", "python", "libraries", "git", "repository", "hidden")  # for anybody
        assert f"{one['name']}: {one['detail'] if same else ''}" in said, one
    named = re.findall(r"(?:OK|SUCCESS|ERROR)\W+(\w+):", said)
    assert {*named} <= {"neovim", "client", *(one["name"] for one in report["findings"])}


def test_a_missing_or_broken_server_is_an_error_with_a_remedy(changed: Any, neovim: Neovim) -> None:
    health = neovim(MISSING, changed.path)["health"]
    (error,) = marked(health, "ERROR")
    assert "server: codewm-lsp-that-is-not-there was not found" in error
    assert any(f"pip install '{ROOT}'" in line for line in health)

    health = neovim(BROKEN, changed.path, BROKEN_PYTHON=sys.executable)["health"]
    (error,) = marked(health, "ERROR")
    assert "failed: no module named codewm_lsp" in "\n".join(health)


def test_what_was_forgotten_is_named(tmp_path: Path, neovim: Neovim) -> None:
    health = neovim(NOT_SET_UP, tmp_path)["health"]
    assert any("not running" in line for line in marked(health, "WARNING"))
    assert any("require('codewm').setup()" in line for line in health)


def test_help_is_found_after_setup_where_nobody_made_its_tags(tmp_path: Path, neovim: Neovim) -> None:
    plugin = tmp_path / "plug in"
    shutil.copytree(ROOT / "neovim", plugin, ignore=shutil.ignore_patterns("tags"))
    found = neovim(HELP_AFTER_SETUP, tmp_path, PLUGIN=str(plugin))
    assert found["found"] is True
    assert [line.rstrip() for line in found["help"]][:5] == HELP.splitlines()[:5]
    made = (plugin / "doc" / "tags").read_bytes()
    (plugin / "doc" / "tags").write_bytes(made + b"zzz\tcodewm.txt\t/zzz\n")
    assert neovim(HELP_AFTER_SETUP, tmp_path, PLUGIN=str(plugin))["found"] is True
    assert (plugin / "doc" / "tags").read_bytes() == made + b"zzz\tcodewm.txt\t/zzz\n", "tags of the user's stay"


def test_commands_of_the_help_are_whole_in_a_shell() -> None:
    for block in re.findall(r">\n((?:\t.*\n)+)", HELP):
        for line in block.splitlines():
            if line.strip().startswith("pip "):
                assert shlex.split(line)[:2] == ["pip", "install"]


def test_the_help_has_every_command_and_no_dead_link(tmp_path: Path, neovim: Neovim) -> None:
    links = sorted(set(re.findall(r"\|(\S+?)\|", HELP)))
    assert links
    found = neovim(TAGS, tmp_path, HELP=str(tmp_path / "help"), LINKS=json.dumps(links))
    assert found["lost"] == []
    tags = {line.split("\t")[0] for line in found["tags"]}
    assert {f":{command}" for command in found["commands"]} == {tag for tag in tags if tag.startswith(":")}
    readme = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
    assert {f":{command}" for command in found["commands"]} <= set(re.findall(r":Codewm\w+", readme))
