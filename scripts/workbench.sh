#!/bin/sh
# Makes ready what the tests in the real VS Code workbench need: Node 24, code-server (the same workbench in a browser)
# and Chromium. About 5 minutes and 800 MB, once; it is kept in ${XDG_CACHE_HOME:-~/.cache}/codewm-dev, outside this tree.
#
#   scripts/workbench.sh        prepare; exit code 0: ready, 3: something is missing that only you can install (it is said)
#   scripts/workbench.sh path   where it is kept
#
# Nothing is downloaded but from the npm registry and Debian's package index that are configured here.
set -eu
cd "$(dirname "$0")/.."

NODE_MAJOR=24
CODE_SERVER=4.139.1
HOME_OF_IT=${XDG_CACHE_HOME:-$HOME/.cache}/codewm-dev
NODE_HOME=$HOME_OF_IT/node-$NODE_MAJOR
SERVER_HOME=$HOME_OF_IT/code-server-$CODE_SERVER

if [ "${1:-}" = path ]; then printf '%s\n' "$HOME_OF_IT"; exit 0; fi

say() { printf '%s\n' "$*" >&2; }
on_debian_as_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
missing() {
    say "************************************************************************"
    say "* $1"
    say "* THE TESTS IN THE REAL VS CODE WORKBENCH WILL BE SKIPPED."
    say "* $2"
    say "************************************************************************"
    exit 3
}
apt_install() {
    say "workbench: installing $* with apt-get"
    apt-get update -qq >&2 || say "workbench: apt-get update reported errors (above); going on"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >&2 </dev/null
}

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) platform=linux-x64 ;;
Linux-aarch64 | Linux-arm64) platform=linux-arm64 ;;
*) missing "The workbench tests run on Linux (x64, arm64) only, this is $(uname -s) $(uname -m)." \
    "The extension itself runs everywhere; make lint, make types and make pytest do so too." ;;
esac

# --- what the system has to give

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
wanted=
[ -n "$browser" ] || wanted="$wanted chromium fonts-dejavu-core"
command -v npm >/dev/null 2>&1 || wanted="$wanted npm"
if [ ! -e "$SERVER_HOME/.complete" ]; then  # its native modules are compiled, once
    for tool in gcc g++ make; do command -v "$tool" >/dev/null 2>&1 || wanted="$wanted $tool"; done
    [ -e /usr/include/krb5.h ] || [ -e /usr/include/gssapi/gssapi.h ] || wanted="$wanted libkrb5-dev"
fi
if [ -n "$wanted" ]; then
    # shellcheck disable=SC2086
    if ! { on_debian_as_root && apt_install $wanted; }; then
        missing "Missing:$wanted." "Install it. On Debian or Ubuntu: sudo apt-get install$wanted"
    fi
fi
command -v flock >/dev/null 2>&1 || missing "Missing: flock." "Install it: it is part of util-linux."

# --- what is kept in the cache folder

mkdir -p "$HOME_OF_IT"
exec 9>"$HOME_OF_IT/lock"
flock 9  # two builds at once: the second one waits and finds everything ready

export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
if [ ! -x "$NODE_HOME/bin/node" ]; then
    say "workbench: fetching Node $NODE_MAJOR"
    rm -rf "$NODE_HOME" "$NODE_HOME.new" && mkdir -p "$NODE_HOME.new"
    npm install --silent --prefix "$NODE_HOME.new" --no-save "node-$platform@$NODE_MAJOR" >&2
    mv "$NODE_HOME.new/node_modules/node-$platform" "$NODE_HOME"
    rm -rf "$NODE_HOME.new"
fi
PATH=$NODE_HOME/bin:$PATH
export PATH

if [ ! -e "$SERVER_HOME/.complete" ]; then
    say "workbench: installing code-server $CODE_SERVER (about 5 minutes, once)"
    rm -rf "$SERVER_HOME" && mkdir -p "$SERVER_HOME"
    # Native modules are built against the headers that came with this Node.
    if ! (cd "$SERVER_HOME" && printf '{"private":true}\n' >package.json &&
        npm_config_nodedir=$NODE_HOME JOBS=1 npm install "code-server@$CODE_SERVER" --foreground-scripts \
            >"$HOME_OF_IT/code-server.log" 2>&1 </dev/null); then
        tail -20 "$HOME_OF_IT/code-server.log" >&2
        missing "code-server could not be installed." "The log: $HOME_OF_IT/code-server.log"
    fi
    touch "$SERVER_HOME/.complete"
fi
