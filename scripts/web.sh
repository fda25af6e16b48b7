#!/bin/sh
# Builds and tests what is in web/: the model in a browser, and the page that shows it at work.
#
#   scripts/web.sh test     types, the engine against Python, the page in headless Chromium
#   scripts/web.sh page     build/site/page, as it is published; needs Node and npm only
#   scripts/web.sh data     build/web, what both are made from
#
# Environment: VENV (.venv), whose codewm-lsp the engine is held against.
set -eu
cd "$(dirname "$0")/.."
what=${1:-test}
VENV=${VENV:-.venv}

. scripts/in_workbench.sh

install_packages() {  # in the current folder; scripts of packages are not run: nothing is compiled
    if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
        say "web: installing what $(basename "$PWD") is built with"
        npm ci --silent --no-audit --no-fund --ignore-scripts >&2
        touch node_modules/.package-lock.json
    fi
}

data() {
    "$VENV/bin/python" scripts/web_data.py "$@" >&2
}

case $what in
data) data tables gallery; exit 0 ;;
page)
    cached=$(sh scripts/workbench.sh path)/node-24/bin
    [ ! -x "$cached/node" ] || PATH=$cached:$PATH
    if ! command -v npm >/dev/null 2>&1; then
        say "web: npm is not on PATH. Install Node.js 22 or newer (https://nodejs.org), which brings it."
        exit 1
    fi
    data tables gallery
    (cd web/engine && install_packages)
    (cd web/page && install_packages && npm run --silent build)
    exit 0
    ;;
test) ;;
*) say "say what to do: test, page or data"; exit 2 ;;
esac

ready_workbench WEB

if [ "$(git rev-parse --is-shallow-repository 2>/dev/null)" != false ]; then
    say "WEB: ONLY THE ENGINE IS TESTED, NOT THE PAGE: its edits are this repository's own, and this clone lacks their history."
    data tables vectors
    cd web/engine
    install_packages
    npm run --silent check
    exec node --test --test-reporter=spec test/multiply.test.ts test/python.test.ts
fi
data tables vectors gallery
(cd web/engine && install_packages && npm run --silent check && npm test --silent)
(cd web/page && install_packages && npm run --silent check && COMMITS=60 npm run --silent build && npm test --silent)
