"""The leaderboard of a sweep: its trials, the best first, as JSON, as a table and as pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from codewm_model.training.sweep_file import Range, Sweep, Value

LEADERBOARD: Final = "leaderboard"


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep: its settings, what came of it (None unless it is complete), and what else was measured."""

    number: int
    settings: Mapping[str, Value]
    value: float | None
    minutes: float
    figures: Mapping[str, float]
    failure: str = ""


def write_leaderboard(sweep: Sweep, found: Sequence[Trial], folder: Path) -> None:
    """``leaderboard.json``, ``leaderboard.md``, and its plots as PNG and SVG."""
    names = list(sweep.search)
    rows = [
        {
            "rank": rank if trial.value is not None else None,
            "trial": trial.number,
            "value": trial.value,
            "settings": dict(trial.settings),
            "minutes": round(trial.minutes, 2),
            "figures": dict(trial.figures),
            "failure": trial.failure,
        }
        for rank, trial in enumerate(found, 1)
    ]
    told = {
        "name": sweep.name,
        "metric": sweep.metric,
        "direction": sweep.direction,
        "seed": sweep.seed,
        "trials": rows,
    }
    as_json = json.dumps(told, indent=1) + "\n"
    lines = [
        f"# {sweep.name}",
        "",
        f"{len(found)} of {sweep.trials} trials; `{sweep.metric}`, "
        f"{'higher is better' if sweep.direction == 'maximize' else 'lower is better'}; sampler "
        f"{sweep.sampler}, seed {sweep.seed}.",
        "",
        "| rank | trial | " + sweep.metric + " | " + " | ".join(names) + " | minutes |",
        "| --- " * (len(names) + 4) + "|",
    ]
    for row, trial in zip(rows, found, strict=True):
        value = f"{trial.value:.4f}" if trial.value is not None else f"failed: {trial.failure}"
        cells = [_cell(trial.settings.get(name)) for name in names]
        lines.append(f"| {row['rank'] or '–'} | {trial.number} | {value} | {' | '.join(cells)} | {trial.minutes:.1f} |")
    lines += ["", f"![{sweep.metric} by trial]({LEADERBOARD}.svg)", ""]
    for suffix, text in (("json", as_json), ("md", "\n".join(lines))):
        partial = folder / f"{LEADERBOARD}.{suffix}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / f"{LEADERBOARD}.{suffix}")
    _plot(sweep, [trial for trial in found if trial.value is not None], folder)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plot(sweep: Sweep, found: Sequence[Trial], folder: Path) -> None:
    """The figure by trial with the best so far, and by each setting."""
    from matplotlib import pyplot

    from codewm_model.evaluation import plots

    in_order = sorted(found, key=lambda trial: trial.number)
    values = [trial.value for trial in in_order if trial.value is not None]
    better = max if sweep.direction == "maximize" else min
    best = [better(values[: end + 1]) for end in range(len(values))]
    with plots.styled():
        panels = 1 + len(sweep.search)
        picture, axes = pyplot.subplots(
            1, panels, figsize=(3.6 * panels, 3.2), sharey=True, squeeze=False, layout="constrained"
        )
        first, *others = axes[0]
        first.plot([trial.number for trial in in_order], values, "o", color=plots.BLUE, markersize=4)
        first.step([trial.number for trial in in_order], best, where="post", color=plots.VERMILION, label="best so far")
        first.set_xlabel("trial")
        first.set_ylabel(sweep.metric)
        if values:
            first.legend()
        for axis, (name, space) in zip(others, sweep.search.items(), strict=True):
            chosen = [trial.settings[name] for trial in in_order]
            if isinstance(space, Range):
                axis.plot(chosen, values, "o", color=plots.BLUE, markersize=4)
                axis.set_xscale("log" if space.log else "linear")
            else:
                axis.plot([space.index(value) for value in chosen], values, "o", color=plots.BLUE, markersize=4)
                axis.set_xticks(range(len(space)), [str(value) for value in space])
                axis.set_xlim(-0.5, len(space) - 0.5)
            axis.set_xlabel(name)
        plots.save(picture, folder, LEADERBOARD)
