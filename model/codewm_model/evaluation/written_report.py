"""What was found → report.json and report.md."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import codewm_lsp
from codewm_lsp.errors import OptionError
from codewm_model.evaluation.measurement import (
    EVERYWHERE,
    Clone,
    EvaluatedModel,
    EvaluationProtocol,
    Outcome,
    Role,
    Settings,
)
from codewm_model.evaluation.significance import Cells, Summary

ROLES: Final = {
    Role.CHANCE: "chance",
    Role.BASELINE: "baseline",
    Role.BAR: "bar for a blend",
    Role.MODEL: "model alone",
    Role.BLEND: "shipped blend",
    Role.BOUND: "for comparison",
}
REPORT: Final = "report.json"


@dataclass(frozen=True, slots=True)
class ReportSection:
    """One protocol's part of the report. ``pictures``: (file without suffix, what it shows)."""

    protocol: EvaluationProtocol
    outcome: Outcome
    cells: Cells
    seconds: float
    pictures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of one run of the command. ``what``: the set, or how the repositories were chosen."""

    what: str
    command: str
    clones: Sequence[Clone]
    missing: Mapping[str, str]
    models: Sequence[EvaluatedModel]
    settings: Settings
    sections: Sequence[ReportSection]
    pictures: Sequence[tuple[str, str]] = ()


def write(report: Report, folder: Path) -> None:
    """Write both files. Raises OptionError where they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(json.dumps(as_json(report), indent=1) + "\n", encoding="utf-8")
        (folder / "report.md").write_text(markdown(report), encoding="utf-8")
    except OSError as error:
        raise OptionError(
            f"{folder} cannot be written ({error.strerror or error}): free some disk space, or name another folder "
            "with --output"
        ) from error


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "codewm": codewm_lsp.__version__,
        "what": report.what,
        "command": report.command,
        "seeds": list(report.settings.seeds),
        "limit": report.settings.limit,
        "models": [_model(model) for model in report.models],
        "repositories": [{"name": clone.name, "head": clone.head} for clone in report.clones],
        "missing": dict(report.missing),
        "protocols": {
            section.protocol.name: {
                "title": section.protocol.title,
                "seconds": round(section.seconds, 1),
                "explanation": section.outcome.explanation,
                "left_out": section.outcome.left_out,
                "commits": {
                    name: {"newest": newest, "oldest": oldest}
                    for name, (newest, oldest) in section.outcome.ranges.items()
                },
                "roles": {name: role.value for name, role in section.outcome.roles.items()},
                "results": {
                    setting: {
                        metric: {system: _cell(summary) for system, summary in systems.items()}
                        for metric, systems in metrics.items()
                    }
                    for setting, metrics in section.cells.items()
                },
                "extra": section.outcome.extra,
                "figures": [dataclasses.asdict(figure) for figure in section.outcome.figures],
            }
            for section in report.sections
        },
    }


def _model(model: EvaluatedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "hash": model.hash,
        "folder": model.folder.name,
        "precision": "fp32" if model.full else "int4",
        "bytes": None if model.full else model.world.bundle.bytes,
    }


def _cell(summary: Summary) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(summary).items() if value is not None}


def markdown(report: Report) -> str:
    """The report as a person reads it."""
    lines = [
        f"# Evaluation: {report.what}",
        "",
        f"CodeWM {codewm_lsp.__version__}, `{report.command}`. Seeds {_listed(report.settings.seeds)}"
        + (f"; at most {report.settings.limit:,} queries a repository" if report.settings.limit else "")
        + ".",
        "",
        "Each figure is the mean over repositories of the mean over seeds, followed in brackets by its 95 % interval",
        "from a bootstrap over repositories. *Against the best baseline* is the mean difference, repository by",
        "repository, with its own interval and the p-value of a sign-flip permutation test. A model alone is compared",
        "with the baselines, a blend also with the bar. **Bold** means better, with an interval that excludes zero;",
        "where a model is worse, the same column says so.",
        "",
        "| model | hash | precision | bytes |",
        "| --- | --- | --- | --- |",
    ]
    for model in report.models:
        about = _model(model)
        size = f"{about['bytes']:,}" if about["bytes"] is not None else "–"
        lines.append(f"| {about['name']} | `{about['hash']}` | {about['precision']} | {size} |")
    for section in report.sections:
        lines += ["", f"## {section.protocol.title}", ""]
        lines += section.outcome.explanation.strip().splitlines()
        for setting, metrics in section.cells.items():
            lines += ["", f"### {setting[:1].upper()}{setting[1:]}", "", *_table(section, metrics)]
        for file, caption in section.pictures:
            lines += ["", f"![{section.protocol.title}]({file}.svg)", "", caption]
        for name, reason in section.outcome.left_out.items():
            lines += ["", f"Left out: {name} ({reason})."]
    if report.pictures:
        lines += ["", "## Pictures of the embeddings and of training"]
        for file, caption in report.pictures:
            lines += ["", f"![{file}]({file}.svg)", "", caption]
    lines += [
        "",
        "## Repositories",
        "",
        "| repository | head | commits looked at, newest to oldest |",
        "| --- | --- | --- |",
    ]
    for clone in report.clones:
        spans = "; ".join(
            f"{section.protocol.name.upper()} `{section.outcome.ranges[clone.name][0][:10]}`…"
            f"`{section.outcome.ranges[clone.name][1][:10]}`"
            for section in report.sections
            if clone.name in section.outcome.ranges
        )
        lines.append(f"| {clone.name} | `{clone.head[:12]}` | {spans or '–'} |")
    for name, reason in report.missing.items():
        lines += ["", f"Not measured: {name} ({reason})."]
    lines.append("")
    return "\n".join(lines)


def _table(section: ReportSection, metrics: Mapping[str, Mapping[str, Summary]]) -> list[str]:
    order = [metric for metric in section.protocol.better if metric in metrics]
    order += [metric for metric in metrics if metric not in order]
    systems = list(dict.fromkeys(system for metric in order for system in metrics[metric]))
    rank = list(Role)
    systems.sort(key=lambda system: rank.index(section.outcome.roles.get(system, Role.BOUND)))
    first = metrics[order[0]]
    against = any(summary.against for summary in first.values())
    repositories = len({name for summary in first.values() for name in summary.by_repository} - {EVERYWHERE})
    head = ["system", "", *order] + ([f"against the best baseline ({order[0]})"] if against else [])
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for system in systems:
        role = section.outcome.roles.get(system, Role.BOUND)
        cells = [system, ROLES[role]]
        for metric in order:
            cells.append(_figure(metrics[metric].get(system), wide=metric == order[0]))
        if against:
            cells.append(_against(first.get(system)))
        lines.append("| " + " | ".join(cells) + " |")
    n = max(summary.n for summary in first.values())
    lines += ["", f"N: {n:,} ({order[0]})" + (f", {repositories} repositories." if repositories else ".")]
    if repositories > 1:
        lines += _by_repository(order[0], first, systems)
    return lines


def _by_repository(metric: str, cells: Mapping[str, Summary], systems: Sequence[str]) -> list[str]:
    """One metric for every repository, folded away."""
    names = list(dict.fromkeys(name for summary in cells.values() for name in summary.by_repository))
    shown = [system for system in systems if system in cells]
    lines = ["", f"<details><summary>{metric} by repository</summary>", ""]
    lines += ["| repository | " + " | ".join(shown) + " |", "| --- " * (len(shown) + 1) + "|"]
    for name in names:
        values = [cells[system].by_repository.get(name) for system in shown]
        lines.append(f"| {name} | " + " | ".join("–" if v is None else f"{v:.3f}" for v in values) + " |")
    return [*lines, "", "</details>"]


def _figure(summary: Summary | None, *, wide: bool) -> str:
    if summary is None:
        return "–"
    text = f"{summary.mean:.3f}" if abs(summary.mean) < 1_000 else f"{summary.mean:,.0f}"
    if wide and len(summary.by_repository) > 1:
        text += f" [{summary.low:.3f}, {summary.high:.3f}]"
    compared = summary.against
    if compared is not None and (compared.low > 0 or compared.high < 0) and compared.repositories > 1 and wide:
        better = compared.low > 0
        text = f"**{text}**" if better else text
    return text


def _against(summary: Summary | None) -> str:
    if summary is None or summary.against is None:
        return ""
    found = summary.against
    verdict = "level" if found.low <= 0 <= found.high else ("above" if found.difference > 0 else "below")
    p = f"p {found.p:.4f}" if found.p >= 0.0001 else "p < 0.0001"
    interval = f" [{found.low:+.3f}, {found.high:+.3f}], {p}" if found.repositories > 1 else ""
    return f"{found.difference:+.3f}{interval}; {verdict}: {found.other}"


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
