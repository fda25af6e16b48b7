"""The folder a program is started in is a repository, and none of its modules is imported, whatever PYTHONPATH says."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROGRAMS = {
    "codewm": ("codewm_lsp.cli", ["doctor"]),
    "codewm-lsp": ("codewm_lsp.server", []),
    "codewm-train": ("codewm_model.cli", ["config", "show"]),
    "codewm-export": ("codewm_export.cli", ["--help"]),
}
OURS = {"codewm_lsp", "codewm_model", "codewm_export"}


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with a module of every name that any program could import; each leaves a file when it is run."""
    folder = tmp_path / "repository"
    ran = tmp_path / "ran"
    ran.mkdir()
    startup = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    before_us = {name.partition(".")[0] for name in startup.stdout.split()}
    names = {*sys.stdlib_module_names, *packages_distributions(), "src"} - before_us - OURS
    for below in (folder, folder / "src"):
        below.mkdir()
        for name in names:
            if name.isidentifier():
                text = f"open({str(ran / name)!r}, 'w').close()\nraise ImportError('a module of the repository')\n"
                (below / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def started(program: str, folder: Path, *how: str, **environment: str) -> subprocess.CompletedProcess[str]:
    module, arguments = PROGRAMS[program]
    return subprocess.run(
        [sys.executable, *(how or ("-c", f"from {module} import main; main()")), *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        env={
            **{name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
            "HOME": str(folder.parent),
            "CODEWM_CACHE": str(folder.parent / "cache"),
            "XDG_STATE_HOME": str(folder.parent / "state"),
            **environment,
        },
    )


def leave_out_what_python_itself_imports(trap: Path, ran: Path, search: str) -> None:
    """What it imports before any line of a program is run is out of our hands (SECURITY.md)."""
    while True:
        subprocess.run([sys.executable, "-c", ""], cwd=trap, env={**os.environ, "PYTHONPATH": search}, check=False)
        imported = [file.name for file in ran.iterdir()]
        if not imported:
            return
        for name in imported:
            (ran / name).unlink()
            for below in (trap, trap / "src"):
                (below / f"{name}.py").unlink(missing_ok=True)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("entries", ["", "{lib}{sep}", "{sep}{lib}", ".", "{lib}{sep}.{sep}src", "src/../src"])
def test_no_module_of_the_working_directory_is_imported(program: str, entries: str, trap: Path, tmp_path: Path) -> None:
    search = entries.format(lib=tmp_path / "lib", sep=os.pathsep)
    leave_out_what_python_itself_imports(trap, tmp_path / "ran", search)
    done = started(program, trap, PYTHONPATH=search)
    assert [file.name for file in (tmp_path / "ran").iterdir()] == []
    assert "a module of the repository" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_is_started_as_a_module_imports_none_either(trap: Path, tmp_path: Path) -> None:
    probe = "import pkgutil, runpy, sys; print(*sys.modules)"  # what "python -m" itself needs is out of our hands
    for name in subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    ).stdout.split():
        (trap / f"{name.partition('.')[0]}.py").unlink(missing_ok=True)
    done = started("codewm-lsp", trap, "-m", "codewm_lsp.server")
    assert [file.name for file in (tmp_path / "ran").iterdir()] == []
    assert "Traceback" not in done.stderr


def test_a_run_of_a_study_imports_none_where_python_does_not_know_safe_paths(trap: Path, tmp_path: Path) -> None:
    study = pytest.importorskip("codewm_model.training.study")
    done = subprocess.run(
        [sys.executable, "-c", study._RUN],
        cwd=trap,
        env={name: value for name, value in os.environ.items() if name not in ("PYTHONSAFEPATH", "PYTHONPATH")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [file.name for file in (tmp_path / "ran").iterdir()] == []
    assert "study.py" in done.stderr, "it was started, and misses its arguments"


def test_folders_that_the_user_names_in_full_are_kept(tmp_path: Path) -> None:
    program = "from codewm_lsp.import_path import leave_out_working_directory as leave; leave(); import sys, os; "
    chosen = tmp_path / "chosen"
    done = subprocess.run(
        [sys.executable, "-c", program + "print(repr(sys.path)); print(os.environ['PYTHONPATH'])"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(chosen), "", "src"])},
        capture_output=True,
        text=True,
        check=True,
    )
    search, inherited = done.stdout.splitlines()
    assert repr(str(chosen)) in search
    assert repr(str(tmp_path)) not in search
    assert repr(str(tmp_path / "src")) not in search
    assert inherited == str(chosen)


def test_standing_in_the_folder_of_codewm_or_of_the_standard_library_does_no_harm(tmp_path: Path) -> None:
    import codewm_lsp

    for folder in (Path(codewm_lsp.__file__).parents[1], Path(os.__file__).parent):
        done = subprocess.run(
            [sys.executable, "-c", "from codewm_lsp.cli import main; main()", "--version"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
