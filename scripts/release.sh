#!/bin/sh
# Says whether a tag may be released: the package, the extension and the changelog must be of its version.
#
#   scripts/release.sh v0.1.0    prints what changed, from CHANGELOG.md; exit code 1 and a reason when it may not
set -eu
cd "$(dirname "$0")/.."
tag=${1:?name a tag, such as v0.1.0}
version=${tag#v}

fail() { printf 'release: %s\n' "$*" >&2; exit 1; }

package=$(sed -n 's/^__version__ *= *"\(.*\)"$/\1/p' codewm_lsp/__init__.py)
extension=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' vscode-extension/package.json)
[ "$package" = "$version" ] || fail "the tag is $tag, and codewm_lsp/__init__.py says $package"
[ "$extension" = "$version" ] || fail "the tag is $tag, and vscode-extension/package.json says $extension"
grep -q '"published": true' vscode-extension/package.json ||
    fail 'vscode-extension/package.json says "published": false: set it to true, so that `pip install codewm` may be told'
python3 scripts/published.py --check >&2 || fail "not all pages say how a published CodeWM is installed"
if grep -q "^## \[$version\].*unreleased" CHANGELOG.md; then
    fail "CHANGELOG.md still calls $version unreleased: write its date there"
fi
notes=$(awk -v heading="## [$version]" 'index($0, "## [") == 1 { inside = index($0, heading) == 1; next } inside' CHANGELOG.md)
[ -n "$notes" ] || fail "CHANGELOG.md has no section [$version]"
printf '%s\n' "$notes"
