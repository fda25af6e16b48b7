"""The commands that run beside an editor keep to one core, and do not search it for garbage all the time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["codewm_lsp.cli", "codewm_lsp.server.program"])
def test_numerical_libraries_are_loaded_after_they_are_told_to_use_one_thread(module: str) -> None:
    """NumPy's threads are fixed when it is loaded: importing a command must not load it."""
    program = f"import sys, {module}; sys.exit('numpy' in sys.modules or 'onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_what_the_user_has_set_is_left_alone() -> None:
    program = "from codewm_lsp.threads import stay_on_one_core as s; import os; s(); print(os.environ[%r])"
    name = "OPENBLAS_NUM_THREADS"
    unset = {key: value for key, value in os.environ.items() if key != name}
    for environment, expected in ((unset, "1"), ({**unset, name: "3"}, "3")):
        done = subprocess.run(
            [sys.executable, "-c", program % name],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.strip() == expected


@pytest.mark.parametrize(
    "program",
    [
        "from codewm_lsp.cli.app import main as run; sys.argv = ['codewm', '--version']",
        "from codewm_lsp.server.program import main as run; sys.argv = ['codewm-lsp']",
    ],
)
def test_garbage_is_collected_seldom(program: str) -> None:
    told = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_threshold()[0] > 10_000)); "
    done = subprocess.run(
        [sys.executable, "-c", f"{told}{program}; run()"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = done.stdout + done.stderr  # where the server speaks to its editor over stdout, Python's goes to stderr
    assert said.splitlines()[-1] == "True", said


def test_a_command_ends_without_looking_through_everything_once_more() -> None:
    told = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 0, gc.isenabled())); "
    program = "from codewm_lsp.cli.app import main as run; sys.argv = ['codewm', '--version']; run()"
    done = subprocess.run([sys.executable, "-c", told + program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True False"
