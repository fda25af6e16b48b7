"""``log.jsonl`` of a training run: one flat record a line, each with its stage and step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from codewm_lsp.errors import TrainingError
from codewm_model.settings.bounded_files import read_bounded
from codewm_model.settings.stages import STAGES

LOG: Final = "log.jsonl"
_MOST_BYTES: Final = 1 << 28


def read_log(file: Path) -> list[dict[str, Any]]:
    """The records of a log, none where there is no file; lines cut short when a run was killed are passed over.

    Raises TrainingError when the file cannot be read, or is larger than the log of any run.
    """
    records: list[dict[str, Any]] = []
    try:
        text = read_bounded(file, _MOST_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return records
    except OSError as error:
        raise TrainingError(f"{file} is not the log of a run ({error.strerror}): move it away") from error
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and record.get("stage") in STAGES and isinstance(record.get("step"), int):
            records.append(record)
    return records


def forget_after(file: Path, stage: str, step: int) -> list[dict[str, Any]]:
    """Cut a log back to what had happened by a step, for a run that goes on from there; the records that are left."""
    until = STAGES.index(stage), step
    kept = [record for record in read_log(file) if (STAGES.index(record["stage"]), record["step"]) <= until]
    partial = file.with_suffix(".partial")
    partial.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
    partial.replace(file)
    return kept
