"""`codewm embed` reads JSON lines and answers each, in order, as soon as it can."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from codewm_lsp.cli.embedding_lines import BATCH, EDIT_FIELDS, STATE_FIELDS, embed_lines
from codewm_lsp.errors import OptionError


def lengths(rows: Sequence[tuple[str, ...]]) -> NDArray[np.float32]:
    return np.array([[len(text) for text in row] for row in rows], dtype=np.float32)


def answers(text: str, fields: tuple[str, ...] = EDIT_FIELDS) -> list[list[float]]:
    sink = io.StringIO()
    embed_lines(io.BytesIO(text.encode()), sink, fields, lengths)
    return [json.loads(line)["embedding"] for line in sink.getvalue().splitlines()]


def test_every_line_is_answered_in_order() -> None:
    count = 3 * BATCH + 5
    lines = "".join(json.dumps({"before": "x" * i, "after": ""}) + "\n" for i in range(count))
    assert answers(lines) == [[i, 0] for i in range(count)]


def test_states_are_read_from_source() -> None:
    assert answers('{"source": "abc"}\n{"source": ""}', STATE_FIELDS) == [[3], [0]]


def test_no_lines_give_no_answers() -> None:
    assert answers("") == []
    assert answers("\n \n") == []


def test_keys_nobody_asked_for_and_a_byte_order_mark_do_no_harm() -> None:
    assert answers('\ufeff{"id": 7, "after": "é", "before": ""}\n') == [[0, 1]]


def test_half_a_surrogate_pair_does_no_harm() -> None:
    assert answers('{"before": "", "after": "a\\ud800b"}\n') == [[0, 3]]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("not json", "Line 2 is not JSON"),
        ("[" * 100_000, "Line 2 is not JSON"),
        ("[]", "Line 2 is not a JSON object"),
        ('{"before": "x"}', 'Line 2 has no "after"'),
        ('{"before": "x", "after": null}', 'Line 2 has no text in "after"'),
        ("", "Line 2 is empty"),
    ],
)
def test_a_bad_line_is_named_and_those_before_it_are_answered(bad: str, says: str) -> None:
    good = '{"before": "", "after": "1"}'
    sink = io.StringIO()
    with pytest.raises(OptionError, match="^" + says):
        embed_lines(io.BytesIO(f"{good}\n{bad}\n{good}\n".encode()), sink, EDIT_FIELDS, lengths)
    assert sink.getvalue() == '{"embedding": [0.0, 1.0]}\n'


def test_bytes_that_are_not_utf8_are_named() -> None:
    with pytest.raises(OptionError, match="Line 1 is not UTF-8"):
        embed_lines(io.BytesIO(b'{"source": "\xff"}\n'), io.StringIO(), STATE_FIELDS, lengths)


def test_a_line_is_answered_before_the_next_is_written() -> None:
    asked, ask = os.pipe()
    heard, answer = os.pipe()
    with (
        os.fdopen(asked, "rb") as source,
        os.fdopen(ask, "wb", buffering=0) as writer,
        os.fdopen(heard, "r") as reader,
        os.fdopen(answer, "w") as sink,
    ):
        worker = threading.Thread(target=embed_lines, args=(source, sink, STATE_FIELDS, lengths))
        worker.start()
        for text in ("a", "bb", "ccc"):
            writer.write(json.dumps({"source": text}).encode() + b"\n")
            assert json.loads(reader.readline()) == {"embedding": [len(text)]}
        writer.close()
        worker.join(timeout=30)
        assert not worker.is_alive()
