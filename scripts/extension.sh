#!/bin/sh
# Tests the VS Code extension. Building it is scripts/vsix.sh's.
#
#   scripts/extension.sh test       the .vsix, types, unit tests, and the tests in the real workbench
#   scripts/extension.sh pictures   CODEWM_REPOS=/folder/of/clones: draw docs/images/vscode-*.png, in the workbench
#   scripts/extension.sh opening    REPO=/path: how long from opening a folder to the first lens
#   scripts/extension.sh walk       REPOS="/path ...": how long from the .vsix to the first lens, step by step
#
# Environment: VENV (.venv), whose codewm-lsp is tested.
set -eu
cd "$(dirname "$0")/.."
what=${1:-test}
VENV=${VENV:-.venv}

. scripts/in_workbench.sh
ready_workbench EXTENSION
case $VENV in /*) ;; *) VENV=$PWD/$VENV ;; esac
CODEWM_LSP=$VENV/bin/codewm-lsp
export CODEWM_LSP

if [ "$what" = walk ]; then
    "${MAKE:-make}" wheel # a release's .vsix brings its server along, and the walk presses its button
fi
sh scripts/vsix.sh
cd vscode-extension
npx --no-install tsc --noEmit
node build.mjs --tests-only

case $what in
test) node --test --test-reporter=spec dist-test/unit-*.test.mjs dist-test/workbench-*.test.mjs ;;
pictures)
    : "${CODEWM_REPOS:?name a folder with a clone of encode/httpx: CODEWM_REPOS=/folder}"
    CODEWM_PICTURES=$PWD/../docs/images node --test --test-reporter=spec dist-test/workbench-stills.test.mjs
    ;;
opening)
    node dist-test/workbench-opening.bench.mjs "${REPO:?name a clone: REPO=/path}"
    ;;
walk)
    # shellcheck disable=SC2086
    node dist-test/workbench-walk.bench.mjs ${REPOS:?name clones: REPOS="/path ..."}
    ;;
*) say "say what to do: test, pictures, opening or walk"; exit 2 ;;
esac
