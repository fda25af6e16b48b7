"""The lens curve as a picture: at which threshold lenses are right how often, and how often there is one at all.

    python -m codewm_model.ranking.lens_curve REPORT --output docs/images

``REPORT`` is what ``python -m codewm_model.ranking.where_next_fit --report`` wrote; ``lens-curve.svg`` and ``.png`` are
made of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib import pyplot

from codewm_model.evaluation.plots import BLACK, BLUE, GREEN, GREY, VERMILION, save, styled

Row = Mapping[str, float]

NAME: Final = "lens-curve"
_LINES: Final = (
    ("", "all looks", BLACK, "-"),
    (", one edit", "one edit in progress", BLUE, "--"),
    (", several", "several edits in progress", VERMILION, "-."),
)


def draw(curves: Mapping[str, Sequence[Row]], threshold: float, folder: Path) -> None:
    """``curves``: by repository, and of ``all``; see ``codewm_model.evaluation.where_next_protocol.curve``."""
    whole = curves["all"]
    with styled():
        picture, (above, below) = pyplot.subplots(
            2, 1, figsize=(7, 6.2), sharex=True, height_ratios=(3, 2), layout="constrained"
        )
        for name, rows in curves.items():
            if name != "all":
                above.plot(*_line(rows, "right", "lenses"), color=GREY, linewidth=0.8, alpha=0.6)
        for suffix, label, colour, dashes in _LINES:
            above.plot(*_line(whole, f"right{suffix}", f"lenses{suffix}"), dashes, color=colour, label=label)
            below.plot(*_line(whole, f"with a lens{suffix}", f"looks{suffix}"), dashes, color=colour)
        above.plot([], [], color=GREY, linewidth=0.8, alpha=0.6, label="each repository")
        above.axhline(0.5, color=GREEN, linewidth=1)
        for axes in (above, below):
            axes.axvline(threshold, color=BLACK, linewidth=0.8, linestyle=":")
            axes.set_ylim(0, 1)
        above.set_title("How often a lens is right")
        below.set_title("How often there is one")
        below.set_xlabel(f"threshold (the default is {threshold:g})")
        above.set_ylabel("of the lenses")
        below.set_ylabel("of the looks at a file")
        above.legend(fontsize=8, loc="lower right")
        save(picture, folder, NAME)


def _line(rows: Sequence[Row], part: str, of: str, least: int = 10) -> tuple[list[float], list[float]]:
    """Shares by threshold, where there are enough to speak of a share."""
    kept = [row for row in rows if row[of] >= least]
    return [row["threshold"] for row in kept], [row[part] / row[of] for row in kept]


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        prog="python -m codewm_model.ranking.lens_curve", description="Draw the lens curve."
    )
    parser.add_argument("report", type=Path, help="JSON report of codewm_model.ranking.where_next_fit")
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = json.loads(options.report.read_text(encoding="utf-8"))
    draw(report["lenses"]["curve"], report["threshold"], options.output)


if __name__ == "__main__":
    main()
