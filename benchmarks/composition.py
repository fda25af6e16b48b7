"""``python -m benchmarks.composition STUDY RUN...``: three steps in a row by runs of a study, beside E2's nulls.

The roll-outs are those of the repositories that the study is validated on: the newest three modifications in a row of
every definition that is no longer than what the run was trained on. One Markdown row for each run and each way to
measure: the mean cosine over all steps of all roll-outs, of the model and of each null.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.held_out import Trained, read, study_parser
from codewm_lsp.world_model.actions import RICH_ACTION
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import load
from codewm_model.evaluation.composition import FREE, MODEL, NULLS, STEPS, TURNED, composed
from codewm_model.evaluation.targets import Matrix
from codewm_model.networks.code_world_model import StateEncoder
from codewm_model.training.inference import encode_states
from codewm_model.training.study import PLAN

CPU = torch.device("cpu")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table."""
    parser = study_parser("composition", main.__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the nulls that are drawn")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plan = json.loads((options.study / PLAN).read_text(encoding="utf-8"))
    data = Dataset([load(Path(file)) for file in plan["validation"]])
    columns = ("model", "its third step", *NULLS, "above the best null by")
    print("| run | step | roll-outs | cosine | mode | " + " | ".join(columns) + " |")
    print("| --- | --- | --- | --- | --- | " + " | ".join("---" for _ in columns) + " |")
    for name in options.runs:
        for line in rows(name, read(options.study / "runs" / name), data, options.seed):
            print(line, flush=True)
    return 0


def rows(name: str, run: Trained, data: Dataset, seed: int) -> list[str]:
    """The lines of one run."""
    edits = roll_outs(data, run.config.training.longest)
    states = np.concatenate([data.states[edits[:, :1], 0], data.states[edits, 1]], 1)  # (N, 1 + STEPS)
    online, true = (
        [encoded(encoder, data, states[:, s]) for s in range(STEPS + 1)] for encoder in (run.model.state, run.target)
    )
    actions = [data.action[edits[:, step]] for step in range(STEPS)]
    moved = np.all([np.linalg.norm(true[s + 1] - true[s], axis=1) > 1e-6 for s in range(STEPS)], axis=0)
    online, true, actions = ([values[moved] for values in own] for own in (online, true, actions))

    @torch.no_grad()
    def advance(start: Matrix, action: Matrix) -> Matrix:
        after: Matrix = run.model.transition(torch.from_numpy(start), torch.from_numpy(action)).numpy()
        return after

    found: dict[tuple[str, str], dict[str, list[NDArray[np.float64]]]] = {}
    for form, mode, system, steps in composed(online, true, actions, advance, seed):
        found.setdefault((form, mode), {})[system] = steps
    lines = []
    for (form, mode), of in found.items():
        if mode == FREE or form != TURNED:
            means = {system: float(np.mean(steps)) for system, steps in of.items()}
            best = max(means[null] for null in NULLS)
            cells = [means[MODEL], float(of[MODEL][-1].mean()), *(means[null] for null in NULLS), means[MODEL] - best]
            shown = " | ".join(f"{cell:.3f}" for cell in cells)
            lines.append(f"| {name} | {run.step:,} | {len(true[0]):,} | {form} | {mode} | {shown} |")
    return lines


def roll_outs(data: Dataset, longest: int) -> NDArray[np.int64]:
    """Edits (N, STEPS), the newest modifications in a row of every definition."""
    usable = data.action[:, RICH_ACTION.index("modify")] == 1
    usable &= data.states[:, 0] != data.states[:, 1]
    if longest:
        usable &= data.lengths(data.states.reshape(-1)).reshape(-1, 2).max(1) <= longest
    later = np.where(data.successor >= 0, data.successor, len(data))
    usable, later = np.append(usable, False), np.append(later, len(data))
    chain = [np.flatnonzero(usable)]
    for _ in range(STEPS):
        chain.append(later[chain[-1]])
    inside = np.all([usable[own] for own in chain[:STEPS]], axis=0) & ~usable[chain[STEPS]]
    return np.stack([own[inside] for own in chain[:STEPS]], 1)


@torch.no_grad()
def encoded(encoder: StateEncoder, data: Dataset, states: NDArray[np.int64]) -> Matrix:
    """(N, state_size)."""
    found: Matrix = encode_states(encoder, data, states, CPU).numpy()
    return found


if __name__ == "__main__":
    sys.exit(main())
