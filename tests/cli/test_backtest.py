"""`codewm backtest`: what `codewm forgotten` would have said of a team's own history."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

Codewm = Callable[..., subprocess.CompletedProcess[str]]


def test_a_team_reads_what_it_would_have_heard(coupled: Any, codewm: Codewm) -> None:
    coupled.commit("The code alone", {"core.py": "a = -1\n"})
    done = codewm("backtest", coupled.path, "--commits", "20")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "The newest 20 of 121 commits, without merges, each checked against the history before it:\n"
    )
    assert "Of the commits as they were made, it would have warned about 1 (5.0 %)." in done.stdout
    assert "Correct, for example:" in done.stdout
    vain = done.stdout.split("Warnings about complete commits, for example:\n")[1]
    assert "docs/core.rst" in vain
    assert "The code alone" in vain


def test_programs_read_json(coupled: Any, codewm: Codewm) -> None:
    answer = json.loads(codewm("backtest", "-C", coupled.path, "--commits", "20", "--json").stdout)
    assert (answer["history"], answer["commits"], answer["hidden"], answer["warned"]) == (120, 20, 20, 0)
    assert answer["precision"] == 1
    assert answer["recall"] == answer["right"] / 20
    assert answer["examples"][0]["commit"] == coupled.head()
    assert answer["vain"] == []


def test_another_threshold_says_more(coupled: Any, codewm: Codewm) -> None:
    few = json.loads(codewm("backtest", coupled.path, "--commits", "20", "--json", "--threshold", "0.999").stdout)
    many = json.loads(codewm("backtest", coupled.path, "--commits", "20", "--json", "--threshold", "0.01").stdout)
    assert (few["flags"], few["precision"]) == (0, None)
    assert many["flags"] > 20


def test_a_short_history_is_called_one(make_repository: Any, codewm: Codewm) -> None:
    repository = make_repository()
    repository.commit("Start", {"a.py": "a = 1\n"})
    done = codewm("backtest", repository.path)
    assert done.returncode == 1
    assert done.stderr == ("codewm: Too little history: only 1 of the 50 usable commits that are needed.\n")
