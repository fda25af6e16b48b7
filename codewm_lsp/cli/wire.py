"""The JSON that other programs rely on. Its shapes are fixed: keys are added, none is changed or taken away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codewm_lsp.dates import moment

if TYPE_CHECKING:
    from codewm_lsp.cli.asking import Question
    from codewm_lsp.hints import Prediction
    from codewm_lsp.hints.next_files import NextFile
    from codewm_lsp.index import PastEdit

Json = Mapping[str, object]


def dump(record: Json) -> str:
    """One line, ASCII only: it survives any terminal, pipe and code page."""
    return json.dumps(record, ensure_ascii=True, allow_nan=False)


def iso_date(seconds: int) -> str:
    """Unix seconds → ISO 8601 in UTC."""
    return moment(seconds).isoformat()


def edit_record(edit: PastEdit, score: float, diff: str | None = None, *, fact: bool = False) -> dict[str, object]:
    """A past edit: commit, author, date, subject, path, definition, kind, score (and diff, where it was asked for; and
    ``fact``, where its score is no chance, as the edit asked about makes it again or takes it back)."""
    record: dict[str, object] = {
        "commit": edit.commit.sha,
        "author": edit.commit.author,
        "date": iso_date(edit.commit.date),
        "subject": edit.commit.subject,
        "path": edit.path,
        "definition": edit.definition,
        "kind": edit.kind.value,
        "score": round(float(score), 6),
    }
    if fact:
        record["fact"] = True
    if edit.source is not None:
        record["repository"] = edit.source.name
    if diff is not None:
        record["diff"] = diff
    return record


def prediction_record(prediction: Prediction, diffs: Sequence[str | None] = ()) -> dict[str, object]:
    """A definition likely to be edited next; ``line`` counts from 1."""
    padded = [*diffs, *([None] * (len(prediction.telling) - len(diffs)))]
    return {
        "path": prediction.path,
        "definition": prediction.definition,
        "line": prediction.line + 1,
        "score": round(float(prediction.score), 6),
        "likely": list(prediction.likely),
        "evidence": [
            edit_record(item.edit, item.score, diff) for item, diff in zip(prediction.telling, padded, strict=True)
        ],
    }


def file_record(file: NextFile) -> dict[str, object]:
    """A file that is no source code and likely to change next."""
    return {"path": file.path, "score": round(float(file.score), 6), "reason": file.reason}


def query_record(question: Question) -> dict[str, object]:
    """What was asked: the revision asked about and the edits in progress on it."""
    return {
        "at": question.at,
        "editing": [
            {"path": edit.path, "definition": edit.definition, "kind": edit.kind.value} for edit in question.edits
        ],
    }
