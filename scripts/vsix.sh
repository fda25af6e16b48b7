#!/bin/sh
# Builds vscode-extension/codewm.vsix. Needs Node 20 or newer and npm, on any system, and nothing else.
#
# A wheel of this version in dist/ (`make wheel`) travels in the .vsix: the extension then installs its server from there.
# It has to be this checkout's: one that was built from other sources is not packaged, and the script fails.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "vsix: $*"; exit 1; }

for tool in node npm; do
    command -v $tool >/dev/null 2>&1 || fail "$tool is not on PATH. Install Node.js 20 or newer (https://nodejs.org), which brings npm."
done
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' ||
    fail "Node $(node --version) is too old: install Node.js 20 or newer (https://nodejs.org)."

version=$(sed -n 's/^__version__ *= *"\(.*\)"$/\1/p' codewm_lsp/__init__.py)
wheel=dist/codewm-$version-py3-none-any.whl
rm -rf vscode-extension/server vscode-extension/codewm.vsix

cd vscode-extension
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "vsix: installing what it is built with"
    npm ci --silent --no-audit --no-fund >&2
    touch node_modules/.package-lock.json
fi
if [ -e "../$wheel" ]; then
    node wheel.mjs "../$wheel"
    mkdir server
    cp "../$wheel" server/
else
    say "vsix: without a server, as there is no $wheel ('make wheel' builds it)"
fi
npm run --silent package >&2
ls -l codewm.vsix
