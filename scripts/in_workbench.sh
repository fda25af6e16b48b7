# To be sourced by scripts that test in the real VS Code workbench, or in its Chromium.

say() { printf '%s\n' "$*" >&2; }

# ready_workbench WHAT: make it ready and put its Node first on PATH; leave, saying WHAT is not tested, where it cannot be.
ready_workbench() {
    code=0
    sh scripts/workbench.sh || code=$?
    if [ "$code" = 3 ]; then
        say "$1 NOT TESTED: see above for what is missing."
        exit 0
    fi
    [ "$code" = 0 ] || exit "$code"
    CODEWM_WORKBENCH=$(sh scripts/workbench.sh path)
    PATH=$CODEWM_WORKBENCH/node-24/bin:$PATH
    export PATH CODEWM_WORKBENCH
}
