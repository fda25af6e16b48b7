#!/usr/bin/env python3
"""A "stop" hook for Claude Code and Codex: before an agent ends, it hears which files usually change with its change.

It gets the agent's JSON on stdin and answers with JSON on stdout, and never keeps an agent from ending twice. Where
`codewm` is missing, fails or takes too long, the agent simply ends. Copy it to where your agent keeps its hooks;
docs/agents.md says how to name it there.
"""

import json
import subprocess
import sys

PATIENCE = 30  # seconds


def main() -> None:
    """Ask, and hold the agent once where something seems to be missing."""
    try:
        told = json.load(sys.stdin)
    except ValueError:
        return
    if not isinstance(told, dict) or told.get("stop_hook_active"):
        return  # it has been held already
    command = ["codewm", "forgotten", "--json", "-C", str(told.get("cwd") or ".")]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE, check=True)
        missing = json.loads(asked.stdout)["missing"]
    except (OSError, ValueError, subprocess.SubprocessError):
        return
    if missing:
        files = [f"- {one['path']}: {one['reason']} ({100 * one['chance']:.0f} %)" for one in missing]
        reason = (
            "Before you end: in this repository these files usually change together with your change, and they have "
            "not. Change them where that is needed; where it is not, say in a sentence why.\n" + "\n".join(files)
        )
        print(json.dumps({"decision": "block", "reason": reason}))


main()
