"""Where people commit and agents end: the Git hook that is installed, that of pre-commit, the stop hook of agents."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from codewm_lsp.cli.hook import install, installed, line
from codewm_lsp.history import Repository
from tests.conftest import isolated_environment

ROOT = Path(__file__).parents[2]
Codewm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `codewm` of this checkout is on PATH, as it is where it was installed."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "codewm"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from codewm_lsp.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    return isolated_environment(
        PATH=path, PYTHONPATH=str(ROOT), CODEWM_CACHE=str(tmp_path / "cache"), HOME=str(tmp_path)
    )


def stage(repository: Any) -> None:
    repository.write("core.py", "a = -1\n")
    repository.git("add", "core.py")


def commit(repository: Any, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    who = {
        f"GIT_{kind}_{what}": value
        for kind in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "A"), ("EMAIL", "a@b"))
    }
    return subprocess.run(
        ["git", "commit", "--message", "Change core"],
        cwd=repository.path,
        env=environment | who,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(os.name == "nt", reason="the program on PATH is a shell script")
def test_the_installed_hook_speaks_and_lets_the_commit_be_made(
    coupled: Any, codewm: Codewm, environment: dict[str, str]
) -> None:
    done = codewm("forgotten", "--install-hook", coupled.path)
    assert done.returncode == 0, done.stderr
    hook = coupled.path / ".git" / "hooks" / "pre-commit"
    assert str(hook) in done.stdout
    stage(coupled)
    before = coupled.head()
    done = commit(coupled, environment)
    assert done.returncode == 0, done.stderr
    assert "docs/core.rst" in done.stdout + done.stderr
    assert coupled.head("HEAD~1") == before
    assert codewm("forgotten", "--install-hook", coupled.path).returncode == 0, "once more changes nothing"


@pytest.mark.skipif(os.name == "nt", reason="the program on PATH is a shell script")
def test_the_commit_is_made_where_codewm_is_gone_or_fails(
    coupled: Any, codewm: Codewm, environment: dict[str, str], tmp_path: Path
) -> None:
    assert codewm("forgotten", "--install-hook", coupled.path).returncode == 0
    stage(coupled)
    (tmp_path / "programs" / "codewm").write_text("#!/bin/sh\nexit 2\n")
    assert commit(coupled, environment).returncode == 0
    coupled.write("core.py", "a = -2\n")
    coupled.git("add", "core.py")
    (tmp_path / "programs" / "codewm").unlink()
    assert commit(coupled, environment).returncode == 0


@pytest.fixture
def away(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program in an environment that is not active at the commit, and whose path has a space and a quote."""
    scripts = tmp_path / "a user's environment"
    (tmp_path / "programs").rename(scripts)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(scripts))
    environment["PATH"] = os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "codewm").exists()
    )
    return scripts / "codewm"


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
def test_the_hook_runs_the_codewm_that_installed_it_where_none_is_on_the_path(
    coupled: Any, environment: dict[str, str], away: Path, tmp_path: Path
) -> None:
    with Repository.open(coupled.path) as repository:
        hook = install(repository, tmp_path / "cache")
    stage(coupled)
    done = commit(coupled, environment)
    assert done.returncode == 0, done.stderr
    assert "docs/core.rst" in done.stdout + done.stderr
    assert installed(tmp_path / "cache") == {hook: True}
    away.unlink()
    coupled.write("core.py", "a = -2\n")
    coupled.git("add", "core.py")
    done = commit(coupled, environment)
    assert done.returncode == 0, "a commit is never blocked"
    assert re.search(rf"{re.escape(str(away))}: (No such file|not found)", done.stderr)


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
@pytest.mark.parametrize("alone", [True, False])
def test_the_hook_of_an_earlier_version_is_brought_up_to_date_and_one_with_more_in_it_is_kept(
    coupled: Any, away: Path, tmp_path: Path, alone: bool
) -> None:
    hook = coupled.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    before = (
        "#!/bin/sh\n"
        "# Lists files that usually change with the staged ones but are not staged. It never blocks a commit.\n"
        "command -v codewm >/dev/null 2>&1 && codewm forgotten --staged --quiet\n"
        "exit 0\n"
    ) + ("" if alone else "make lint\n")
    hook.write_text(before)
    with Repository.open(coupled.path) as repository:
        assert install(repository, tmp_path / "cache") == hook
    assert (hook.read_text() == before) == (not alone)
    assert (line() in hook.read_text()) == alone
    assert installed(tmp_path / "cache") == {hook: alone}


def test_a_hook_that_is_there_is_left_alone_and_the_line_to_add_is_said(coupled: Any, codewm: Codewm) -> None:
    hook = coupled.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nmake lint\n")
    done = codewm("forgotten", "--install-hook", coupled.path)
    assert done.returncode == 2
    assert '"$(command -v codewm || echo ' in done.stderr
    assert " forgotten --staged --quiet || :\n" in done.stderr
    assert hook.read_text() == "#!/bin/sh\nmake lint\n"


@pytest.mark.parametrize("linked", [False, True])
def test_nothing_is_written_outside_the_folder_of_git(
    coupled: Any, codewm: Codewm, tmp_path: Path, linked: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    hooks = coupled.path / ".git" / "hooks"
    shutil.rmtree(hooks, ignore_errors=True)
    if linked:
        try:
            hooks.symlink_to(outside, target_is_directory=True)
        except OSError:
            pytest.skip("no symbolic links here")
    else:
        coupled.git("config", "core.hooksPath", str(outside))
    done = codewm("forgotten", "--install-hook", coupled.path)
    assert done.returncode == 2
    assert "Add this line" in done.stderr.replace("\n", " ")
    assert not list(outside.iterdir())


def test_a_dangling_link_in_place_of_the_hook_is_not_followed(coupled: Any, codewm: Codewm, tmp_path: Path) -> None:
    hook = coupled.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    try:
        hook.symlink_to(tmp_path / "target")
    except OSError:
        pytest.skip("no symbolic links here")
    assert codewm("forgotten", "--install-hook", coupled.path).returncode == 2
    assert not (tmp_path / "target").exists()


def stop_hook(environment: dict[str, str], told: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "agents" / "stop_hook.py")],
        input=told if isinstance(told, str) else json.dumps(told),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.mark.skipif(os.name == "nt", reason="the program on PATH is a shell script")
def test_an_agent_is_held_once_and_told_what_it_forgot(coupled: Any, environment: dict[str, str]) -> None:
    coupled.write("core.py", "a = -1\n")
    event = {"hook_event_name": "Stop", "cwd": str(coupled.path), "stop_hook_active": False}
    done = stop_hook(environment, event)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["decision"] == "block"
    assert "docs/core.rst: changed in 61 of the last 61 commits to core.py" in answer["reason"]
    assert stop_hook(environment, {**event, "stop_hook_active": True}).stdout == ""
    coupled.write("docs/core.rst", "-1\n")
    assert stop_hook(environment, event).stdout == ""


def documented_hooks() -> list[str]:
    text = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    return [
        one["command"] for block in blocks if "hooks" in block for it in block["hooks"]["Stop"] for one in it["hooks"]
    ]


@pytest.mark.skipif(os.name == "nt", reason="the program on PATH is a shell script")
@pytest.mark.parametrize("command", documented_hooks())
def test_the_hooks_of_the_documentation_run_from_any_folder(
    coupled: Any, environment: dict[str, str], command: str
) -> None:
    place = re.search(r"/(\.\w+/hooks/\w+\.py)", command)
    assert place is not None
    hook = coupled.path / place[1]
    hook.parent.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "agents" / "stop_hook.py", hook)
    coupled.commit("Hold the agent", {place[1]: hook.read_text()})
    coupled.write("core.py", "a = -1\n")
    done = subprocess.run(
        command,
        shell=True,
        input=json.dumps({"hook_event_name": "Stop", "cwd": str(coupled.path), "stop_hook_active": False}),
        capture_output=True,
        text=True,
        env=environment | {"CLAUDE_PROJECT_DIR": str(coupled.path)},
        cwd=coupled.path / "docs",
        check=False,
    )
    assert json.loads(done.stdout)["decision"] == "block", done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the program on PATH is a shell script")
@pytest.mark.parametrize("told", ["", "no JSON", "[]", '{"cwd": "/nowhere"}', '{"cwd": 7}', "{}"])
def test_an_agent_ends_where_nothing_can_be_asked(environment: dict[str, str], told: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "agents" / "stop_hook.py")],
        input=told,
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="what pip is told here is told otherwise on Windows")
def test_pre_commit_installs_the_hook_and_shows_what_is_missing(
    coupled: Any, make_repository: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    """pre-commit itself builds this checkout and installs it; what it depends on comes from this environment."""
    source = make_repository("codewm")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, source.path / name)
    for name in ("codewm_lsp", "model", "export"):
        shutil.copytree(ROOT / name, source.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    revision = source.commit("Release")
    hooks = {"repo": str(source.path), "rev": revision, "hooks": [{"id": "codewm-forgotten"}]}
    coupled.commit("Check with pre-commit", {".pre-commit-config.yaml": json.dumps({"repos": [hooks]})})
    stage(coupled)
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--color", "never"],
        cwd=coupled.path,
        env={
            **environment,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(platformdirs.__file__).parents[1]),
            "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip takes this name the other way round: none
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "docs/core.rst" in done.stdout, done.stdout
    assert "changed in 61 of the last 61 commits to core.py" in done.stdout
