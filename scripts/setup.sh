#!/bin/sh
# Makes .venv fit for use.
#
#   scripts/setup.sh runtime    what `codewm` and `codewm-lsp` need
#   scripts/setup.sh tests      that, the trainer, and everything the tests use
#   scripts/setup.sh docs       what builds the documentation's site, and nothing else
#   scripts/setup.sh dist       what builds the packages that are published, and nothing else
#
# Environment: PYTHON (python3), VENV (.venv), TORCH (what to hand to pip for PyTorch, when its CPU build is not found).
set -eu
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*" >&2; }
fail() { say "setup: $*"; exit 1; }

on_debian_as_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    say "setup: installing $* with apt-get"
    # A third party's package list that cannot be fetched must not stop us: the install below says what is missing.
    apt-get update -qq >&2 || say "setup: apt-get update reported errors (above); going on"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 </dev/null
}

pip_install() { "$VENV/bin/python" -m pip install --quiet "$@"; }

make_venv() {
    command -v "$PYTHON" >/dev/null 2>&1 || fail "no '$PYTHON' on PATH. Install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$("$PYTHON" --version) is too old: CodeWM needs Python 3.10 or newer. Name another one: make PYTHON=/path/to/python3"
    if ! command -v git >/dev/null 2>&1; then
        if on_debian_as_root; then apt_install git; else fail "git is missing: install it (https://git-scm.com/downloads)"; fi
    fi
    [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c 'import pip' 2>/dev/null && return
    if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian and Ubuntu ship venv as a package of its own.
        if on_debian_as_root; then
            apt_install python3-venv
        else
            fail "$PYTHON cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install python3-venv"
        fi
    fi
    say "setup: making $VENV with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear "$VENV"
}

install_runtime() {
    say "setup: installing codewm into $VENV (once; again when pyproject.toml changes)"
    pip_install --editable .
}

# The CPU build of PyTorch is about 200 MB; the default build for Linux brings several GB of CUDA with it, which
# nothing here needs. It is taken where a package index or `pip --find-links` offers it.
install_torch() {
    "$VENV/bin/python" -c 'import torch' 2>/dev/null && return
    if pip_install "torch==2.13.0+cpu" 2>/dev/null; then
        say "setup: installed the CPU build of PyTorch"
        return
    fi
    say "setup: no CPU build of PyTorch in pip's configured indexes: installing ${TORCH:-torch}, which on Linux is large."
    say "setup: to avoid that, set PIP_EXTRA_INDEX_URL to PyTorch's CPU index (see pytorch.org/get-started)."
    pip_install "${TORCH:-torch}"
}

install_tests() {
    install_torch
    say "setup: installing what the tests need"
    pip_install --editable ".[dev]"
    if ! command -v nvim >/dev/null 2>&1; then
        if on_debian_as_root; then
            apt_install neovim || say "setup: neovim could not be installed"
        fi
    fi
    if ! command -v nvim >/dev/null 2>&1; then
        say "************************************************************************"
        say "* Neovim is not on PATH: THE TESTS IN A REAL EDITOR WILL BE SKIPPED.    *"
        say "* Install it: apt-get install neovim, dnf install neovim, brew install  *"
        say "* neovim, or see https://neovim.io/doc/install                          *"
        say "************************************************************************"
    fi
}

make_venv
case "${1:-}" in
runtime) install_runtime ;;
tests) install_tests ;;
docs) pip_install "zensical>=0.0.40" ;;
dist) pip_install "build>=1.2" ;;
*) fail "say what to set up: runtime, tests, docs or dist" ;;
esac
