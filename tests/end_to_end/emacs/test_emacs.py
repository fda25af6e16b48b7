"""A real Emacs in a terminal, set up as docs/editors.md says, with lsp-mode and with eglot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.neovim.conftest import SERVICES, service

ROOT = Path(__file__).parents[3]
PACKAGES = Path("/usr/share/emacs/site-lisp/elpa")
LSP_MODE, EGLOT, SIMILAR = re.findall(
    r"^```elisp\n(.*?)^```$", (ROOT / "docs" / "editors.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
PATIENCE = 120

Emacs = Callable[[str], str]

TOOLS = """;; -*- lexical-binding: t -*-
(package-initialize)
(defvar result (getenv "CODEWM_RESULT"))
(defun end-with (&rest found)
  (write-region (format "%S" found) nil result)
  (kill-emacs 0))
(defun every-second (what)
  (run-with-timer 1 1 (lambda () (with-current-buffer "sessions.py" (funcall what)))))
(run-with-timer 100 nil (lambda () (end-with 'nothing (current-message))))
"""

WITH_LSP_MODE = """
(defun lens ()
  (seq-some (lambda (overlay) (overlay-get overlay 'after-string)) (overlays-in (point-min) (point-max))))
(setq lsp-auto-guess-root t lsp-warn-no-matched-clients nil lsp-session-file (concat result ".session"))
(require 'lsp-mode)
(find-file "sessions.py")
(every-second
 (lambda ()
   (let ((shown (lens)))
     (when shown
       (let ((at (text-property-not-all 0 (length shown) 'local-map nil shown)))
         (call-interactively (lookup-key (get-text-property at 'local-map shown) [mouse-1]))
         (sit-for 3)
         (end-with (substring-no-properties shown) (with-current-buffer "*Messages*" (buffer-string))))))))
"""

WITH_EGLOT = """
(require 'eglot)
(find-file "sessions.py")
(goto-char (point-min))
(search-forward "fetch_sessions")
(every-second
 (lambda ()
   (when (eglot-current-server)
     (let ((hover (jsonrpc-request (eglot-current-server) :textDocument/hover (eglot--TextDocumentPositionParams))))
       (when (plist-get hover :contents)
         (codewm-similar "SessionsClient.fetch_sessions")
         (sit-for 3)
         (end-with hover (with-current-buffer "*Messages*" (buffer-string))))))))
"""


@pytest.fixture
def emacs(make_repository: Callable[..., Any], tmp_path: Path) -> Emacs:
    """Runs Lisp in an Emacs on a repository, and gives back what it ends with."""
    program, terminal = shutil.which("emacs"), shutil.which("script")
    if (
        program is None
        or terminal is None
        or not list(PACKAGES.glob("lsp-mode-*"))
        or not list(PACKAGES.glob("eglot-*"))
    ):
        pytest.skip("no Emacs with lsp-mode and eglot here (Debian: emacs-nox, elpa-lsp-mode, elpa-eglot)")
    repository = make_repository("services")
    repository.commit("Begin", {f"{name}.py": service(name) for name in SERVICES})
    for name in SERVICES[:-1]:
        repository.commit(f"Add timeout to fetch_{name}", {f"{name}.py": service(name, timeout=True)})
    repository.write("sessions.py", service("sessions", timeout=True))
    home = tmp_path / "home"
    home.mkdir()
    server = tmp_path / "bin" / "codewm-lsp"
    server.parent.mkdir()
    server.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m codewm_lsp.server "$@"\n')
    server.chmod(0o755)

    def run(lisp: str) -> str:
        code, result = tmp_path / "script.el", tmp_path / "result"
        code.write_text(TOOLS + lisp, encoding="utf-8")
        environment = {
            **os.environ,
            "HOME": str(home),
            "PATH": f"{server.parent}{os.pathsep}{os.environ['PATH']}",
            "TERM": "xterm",
            "CODEWM_RESULT": str(result),
        }
        drawn = tmp_path / "drawn"
        with (
            drawn.open("wb") as screen,
            subprocess.Popen(
                [terminal, "-qec", f"{program} -nw -q -l {code}", os.devnull],
                cwd=repository.path,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=screen,
                stderr=screen,
            ) as process,
        ):
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
        assert result.exists(), f"Emacs ended without a result; last drawn: {drawn.read_bytes()[-2000:]!r}"
        return result.read_text(encoding="utf-8")

    return run


def test_lsp_mode_shows_lenses_and_a_click_names_the_file_with_the_past_edits(emacs: Emacs) -> None:
    found = emacs(LSP_MODE + WITH_LSP_MODE)
    assert "Add timeout to fetch_" in found
    assert "The diff is in " in found


def test_eglot_shows_the_hint_of_a_line_and_names_the_file_with_the_past_edits(emacs: Emacs) -> None:
    found = emacs(EGLOT + SIMILAR + WITH_EGLOT)
    assert "Add timeout to fetch_" in found
    assert "The diff is in " in found
