"""`codewm embed` with the real model: vectors that other programs can rely on."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Codewm = Callable[..., subprocess.CompletedProcess[str]]
PLAIN = "def get(url):\n    return send(url)\n"
TIMED = "def get(url, timeout=30):\n    return send(url, timeout=timeout)\n"
POST = "def post(url):\n    return send(url, 'post')\n"
POST_TIMED = "def post(url, timeout=30):\n    return send(url, 'post', timeout=timeout)\n"
LOGGED = "def get(url):\n    log.info('get %s', url)\n    return send(url)\n"


def vectors(done: subprocess.CompletedProcess[str]) -> list[list[float]]:
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(record) == ["embedding"] for record in records)
    return [record["embedding"] for record in records]


def edit_lines(*pairs: tuple[str, str]) -> str:
    return "".join(json.dumps({"before": before, "after": after}) + "\n" for before, after in pairs)


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def test_like_edits_have_like_vectors_of_length_one(codewm: Codewm) -> None:
    pairs = [(PLAIN, TIMED), (POST, POST_TIMED), (PLAIN, LOGGED), ("", PLAIN), (PLAIN, "")]
    timed, post, logged, added, removed = vectors(codewm("embed", "--edits", stdin=edit_lines(*pairs)))
    for vector in (timed, post, logged, added, removed):
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)
    assert cosine(timed, post) > cosine(timed, logged)
    assert cosine(added, removed) < 0.9  # the same words, but in the other direction


def test_no_change_is_a_vector_of_zeros(codewm: Codewm) -> None:
    (vector,) = vectors(codewm("embed", "--edits", stdin=edit_lines((PLAIN, PLAIN))))
    assert not any(vector)


def test_an_action_brings_edits_of_one_type_together(codewm: Codewm) -> None:
    pairs = [(PLAIN, TIMED), ("", LOGGED), ("", PLAIN), (PLAIN, PLAIN)]
    plain = vectors(codewm("embed", "--edits", "--parts", "edit", stdin=edit_lines(*pairs)))
    timed, logged, added, same = vectors(codewm("embed", "--edits", "--parts", "edit,action", stdin=edit_lines(*pairs)))
    assert [len(vector) - len(plain[0]) for vector in (timed, logged, added, same)] == [15] * 4
    assert [math.hypot(*vector) for vector in (timed, logged, added)] == pytest.approx([1, 1, 1], abs=1e-3)
    assert not any(same)
    assert cosine(logged, added) - cosine(timed, added) > cosine(plain[1], plain[2]) - cosine(plain[0], plain[2])


def test_a_state_has_no_action(codewm: Codewm) -> None:
    done = codewm("embed", "--states", "--parts", "edit,action", stdin='{"source": ""}\n')
    assert done.returncode == 2
    assert "--parts needs --edits" in done.stderr


def test_a_whole_file_can_be_given(codewm: Codewm) -> None:
    file, changed = f"import net\n\n\n{PLAIN}\n\n{POST}", f"import net\n\n\n{TIMED}\n\n{POST}"
    whole, own = vectors(codewm("embed", "--edits", stdin=edit_lines((file, changed), (PLAIN, TIMED))))
    assert cosine(whole, own) > 0.9


def test_states_are_embedded_in_order(codewm: Codewm) -> None:
    sources = [PLAIN, POST, PLAIN, "", "def broken(:\n"]
    lines = "".join(json.dumps({"source": source}) + "\n" for source in sources)
    states = vectors(codewm("embed", "--states", stdin=lines))
    assert len(states) == len(sources)
    assert len({len(state) for state in states}) == 1
    assert states[0] == pytest.approx(states[2], abs=1e-4)
    assert states[0] != pytest.approx(states[1], abs=1e-3)


def test_an_answer_does_not_depend_on_the_lines_around_it(codewm: Codewm) -> None:
    long = "def long():\n" + "".join(f"    x{i} = f({i})\n" for i in range(200))
    alone = vectors(codewm("embed", "--edits", stdin=edit_lines((PLAIN, TIMED))))
    among = vectors(codewm("embed", "--edits", stdin=edit_lines(("", long), (PLAIN, TIMED), (long, ""))))
    assert among[1] == pytest.approx(alone[0], abs=1e-3)


def test_no_input_gives_no_output(codewm: Codewm) -> None:
    assert vectors(codewm("embed", "--edits")) == []


def test_a_bad_line_is_named_once_and_ends_with_2(codewm: Codewm) -> None:
    done = codewm("embed", "--edits", stdin=edit_lines((PLAIN, TIMED)) + "nonsense\n")
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert done.stderr.startswith("codewm: Line 2 is not JSON")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--edits", "--states")])
def test_what_the_lines_hold_must_be_said(codewm: Codewm, arguments: tuple[str, ...]) -> None:
    done = codewm("embed", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--edits or --states" in done.stderr


def test_a_folder_without_a_model_is_wrong_use(codewm: Codewm, tmp_path: Path) -> None:
    done = codewm("embed", "--edits", "--model", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert str(tmp_path) in done.stderr
