"""One look for all pictures: colours that colour-blind readers tell apart, PNG and SVG side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.figure import Figure as Picture

# Okabe and Ito's palette, its yellow left out: it is too light on white.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, GREY = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#8A8A8A",
)  # fmt: skip
CYCLE: Final = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
DASHES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "^", "s", "D", "v", "P", "X")
DPI: Final = 150

STYLE: Final[Mapping[str, Any]] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "codewm",
    "svg.fonttype": "path",
    "figure.facecolor": "white",
    "figure.max_open_warning": 0,
}


def styled() -> AbstractContextManager[None]:
    """The look, for pictures drawn elsewhere: ``with styled(): …``."""
    settings: Any = dict(STYLE)
    return pyplot.rc_context(settings)


def save(picture: Picture, folder: Path, name: str) -> str:
    """Write ``name``.png and ``name``.svg, the same bytes for the same picture, and return ``name``."""
    folder.mkdir(parents=True, exist_ok=True)
    picture.savefig(folder / f"{name}.png", dpi=DPI, bbox_inches="tight", metadata={"Software": "codewm"})
    picture.savefig(folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None, "Creator": "codewm"})
    pyplot.close(picture)
    return name


@dataclass(frozen=True, slots=True)
class Interval:
    """A bar: its label, value, interval, and colour."""

    label: str
    value: float
    low: float
    high: float
    colour: str


def bars(panels: Sequence[tuple[str, Sequence[Interval]]], label: str) -> Picture:
    """Panels of horizontal bars with intervals, best at the top; the value is written beside each."""
    with styled():
        rows = sum(len(own) for _, own in panels)
        picture, axes = pyplot.subplots(
            len(panels),
            1,
            figsize=(8.4, 0.33 * rows + 0.75 * len(panels) + 0.4),
            squeeze=False,
            height_ratios=[len(own) + 0.6 for _, own in panels],
            layout="constrained",
        )
        for axis, (title, own) in zip(axes[:, 0], panels, strict=True):
            ordered = sorted(own, key=lambda bar: bar.value)
            values = np.array([bar.value for bar in ordered])
            spread = np.array([[bar.value - bar.low, bar.high - bar.value] for bar in ordered]).T.clip(min=0)
            axis.barh(
                range(len(ordered)),
                values,
                xerr=spread,
                color=[bar.colour for bar in ordered],
                height=0.72,
                error_kw={"ecolor": "#333333", "elinewidth": 1.1, "capsize": 2.5},
            )
            axis.set_yticks(range(len(ordered)), [bar.label for bar in ordered])
            axis.set_title(title)
            axis.grid(axis="y", visible=False)
            right = max((bar.high for bar in ordered), default=1.0)
            left = min(0.0, *(bar.low * 1.1 for bar in ordered))
            axis.set_xlim(left, right * 1.14 if right > 0 else 1)
            if left < 0:
                axis.axvline(0, color="#555555", linewidth=0.8)
            for row, bar in enumerate(ordered):
                axis.text(max(bar.high, bar.value) + right * 0.012, row, f"{bar.value:.3f}", va="center", fontsize=9)
        axes[-1, 0].set_xlabel(label)
        return picture


@dataclass(frozen=True, slots=True)
class PlottedLine:
    """A line: its label and its points."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


def lines(
    panels: Sequence[tuple[str, str, Sequence[PlottedLine]]],
    across: str,
    *,
    columns: int = 2,
    logarithmic: tuple[bool, bool] = (False, False),
    marks: Sequence[tuple[float, str]] = (),
) -> Picture:
    """Panels of lines, (title, y label, lines) each; a label has the same colour and dashes in every panel.

    ``marks``: horizontal lines with a note, in the first panel.
    """
    with styled():
        columns = min(columns, len(panels))
        rows = -(-len(panels) // columns)
        picture, axes = pyplot.subplots(
            rows, columns, figsize=(4.6 * columns, 3.0 * rows + 0.4), squeeze=False, layout="constrained"
        )
        labels = list(dict.fromkeys(line.label for _, _, own in panels for line in own))
        handles: dict[str, Any] = {}
        for axis, (title, up, own) in zip(axes.flat, panels, strict=False):
            for line in own:
                number = labels.index(line.label)
                (handle,) = axis.plot(
                    line.x,
                    line.y,
                    color=CYCLE[number % len(CYCLE)],
                    linestyle=DASHES[number // len(CYCLE) % len(DASHES)] if len(labels) > len(CYCLE) else "-",
                    marker=MARKERS[number % len(MARKERS)] if len(line.x) <= 12 else None,
                    markersize=4,
                )
                handles.setdefault(line.label, handle)
            axis.set_title(title)
            axis.set_ylabel(up)
            axis.set_xlabel(across)
            if logarithmic[0]:
                axis.set_xscale("log")
            if logarithmic[1]:
                axis.set_yscale("log")
        for height, note in marks:
            axes.flat[0].axhline(height, color=GREY, linewidth=1, linestyle=":")
            axes.flat[0].annotate(note, (0.99, height), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                                  fontsize=8, color="#555555")  # fmt: skip
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        if len(labels) > 1 or labels[:1] != [""]:
            picture.legend(
                list(handles.values()), list(handles), loc="outside lower center", ncols=min(3, max(1, len(handles)))
            )
        return picture


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points of one kind."""

    label: str
    points: NDArray[np.floating[Any]]


def clouds(panels: Sequence[tuple[str, Sequence[Cloud]]], labels: tuple[str, str]) -> Picture:
    """Panels of points in the plane, each kind with a colour and a marker of its own."""
    with styled():
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        picture, axes = pyplot.subplots(
            rows, columns, figsize=(4.2 * columns, 4.0 * rows + 0.4), squeeze=False, layout="constrained"
        )
        names = list(dict.fromkeys(cloud.label for _, own in panels for cloud in own))
        handles: dict[str, Any] = {}
        for axis, (title, own) in zip(axes.flat, panels, strict=False):
            for cloud in own:
                number = names.index(cloud.label)
                handle = axis.scatter(
                    cloud.points[:, 0],
                    cloud.points[:, 1],
                    s=14,
                    alpha=0.6,
                    linewidths=0,
                    color=CYCLE[number % len(CYCLE)],
                    marker=MARKERS[number % len(MARKERS)],
                    rasterized=True,
                )
                handles.setdefault(cloud.label, handle)
            axis.set_title(title)
            axis.set_xlabel(labels[0])
            axis.set_ylabel(labels[1])
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        picture.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=max(1, len(handles)))
        return picture
