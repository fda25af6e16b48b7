"""``codewm eval``: protocols, models and repositories in, a report out."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from codewm_lsp.errors import OptionError
from codewm_lsp.folders import NO_FOLDER, cache_folder
from codewm_lsp.output_folder import claim
from codewm_model.cli.eval_progress import Bar
from codewm_model.evaluation import models as loading
from codewm_model.evaluation import released_weights as released
from codewm_model.evaluation import repositories as places
from codewm_model.evaluation.cache import Cache, code
from codewm_model.evaluation.measurement import (
    Clone,
    EvaluatedModel,
    EvaluationProtocol,
    Figure,
    Outcome,
    Progress,
    Role,
    Settings,
)
from codewm_model.evaluation.parity import Parity
from codewm_model.evaluation.pictures import draw
from codewm_model.evaluation.protocols import NAMES, protocols_of
from codewm_model.evaluation.sibling_search import BASELINES
from codewm_model.evaluation.significance import summarise
from codewm_model.evaluation.text_baselines import TEXT_BASELINES
from codewm_model.evaluation.written_report import REPORT, Report, ReportSection, write

OPTIONAL: Final = ("minilm", *TEXT_BASELINES)
"""Those that need packages with weights of their own."""


def evaluate(
    protocols: Annotated[
        str, typer.Option(metavar="E1,E2,…", help=f"What to measure: any of {', '.join(NAMES)} (default: all).")
    ] = ",".join(NAMES),
    chosen: Annotated[
        str,
        typer.Option(
            "--set", metavar="SET", help="A set of repositories of docs/evaluation.md: train, validation or test."
        ),
    ] = "validation",
    repositories: Annotated[
        list[str] | None,
        typer.Option(
            "--repositories",
            metavar="OWNER/NAME",
            help="Repositories to use instead of a set; comma-separated, or repeated.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="DIR",
            help="A model, or the folder of a training run; may be repeated (default: shipped).",
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help=f"Baselines to compare with: any of {', '.join([*BASELINES, *OPTIONAL])}; all, or none (default: all "
            f"but {', '.join(OPTIONAL)}, which need codewm\\[baselines]).",
        ),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            help="Weights that the paper's authors released (.safetensors, with the .config.json beside it), measured "
            "in E3 and E4; may be repeated.",
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="N,N,…", help="Seeds for ties, samples and choices.")] = "0,1,2",
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Maximum queries per repository.", show_default=False),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for report.json, report.md and the pictures.")
    ] = Path("evaluation"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the report in the output folder.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for mined edits, embeddings and finished parts.", show_default=False),
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Use small generated repositories; needs no clones.")] = False,
) -> None:
    """Measure models and baselines on local clones by the protocols E1 to E7. Nothing is downloaded.

    CODEWM_REPOS is the folder with the clones, named owner+name, bare or not. Run the same command again to continue a
    run that was stopped.
    """
    wanted = _names(protocols, "--protocols", NAMES)
    settings = Settings(
        seeds=_seeds(seeds),
        cache=cache or _kept(),
        limit=limit,
        baselines=_baselines(baselines),
        references=released.load(reference or []),
    )
    with ExitStack() as stack:
        if smoke:
            from codewm_model.evaluation.smoke import make_repositories

            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            names = make_repositories(folder)
            what = "generated repositories (smoke test: the figures mean nothing)"
        else:
            folder = places.folder_of_clones()
            names, what = _chosen(chosen, repositories)
        clones, missing = places.find(folder, names, required=bool(repositories))
        candidates = loading.load(model or [])
        claim(output, "codewm eval", results=(REPORT,), overwrite=overwrite)
        bar = stack.enter_context(Bar())
        for name, reason in missing.items():
            bar.say(f"left out: {name} ({reason})")
        sections: list[ReportSection] = []
        for protocol in protocols_of(wanted):
            if isinstance(protocol, Parity):
                protocol.known = {section.protocol.name: section.outcome for section in sections}
            sections.append(_measured(protocol, clones, candidates, settings, bar))
        general = draw(sections, clones, candidates, settings, output)
        report = Report(
            what=what,
            command=_command(wanted, chosen, repositories, candidates, settings, smoke),
            clones=clones,
            missing=missing,
            models=candidates,
            settings=settings,
            sections=sections,
            pictures=general,
        )
        write(report, output)
        bar.close()
    for section in sections:
        for line in _headlines(section):
            typer.echo(line)
    typer.echo(f"Report: {output / 'report.md'}")


def main(arguments: Sequence[str], name: str) -> None:
    """What ``codewm eval`` runs. Expected failures are raised as they are: the caller says them."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Example: codewm eval --protocols e4 --repositories pallets/flask",
    )(evaluate)
    app(list(arguments), prog_name=name)


def _names(given: str, option: str, known: Sequence[str]) -> list[str]:
    names = [name.strip().lower() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise OptionError(f"{option}: unknown {name!r}. Choose from {', '.join(known)}")
    if not names:
        raise OptionError(f"{option} is empty. Choose from {', '.join(known)}")
    return list(dict.fromkeys(names))


def _baselines(given: str | None) -> frozenset[str] | None:
    if given is None:
        return None
    if given.strip().lower() == "none":
        return frozenset()
    if given.strip().lower() == "all":
        return frozenset([*BASELINES, *OPTIONAL])
    return frozenset(_names(given, "--baselines", [*BASELINES, *OPTIONAL]))


def _seeds(given: str) -> tuple[int, ...]:
    try:
        seeds = tuple(dict.fromkeys(int(part) for part in given.split(",")))
    except ValueError:
        raise OptionError(f"--seeds {given!r}: use comma-separated whole numbers, such as 0,1,2") from None
    if min(seeds) < 0:
        raise OptionError(f"--seeds {given!r}: seeds cannot be negative")
    return seeds


def _chosen(name: str, repositories: Sequence[str] | None) -> tuple[list[str], str]:
    if repositories:
        names = [one.strip().replace("+", "/") for given in repositories for one in given.split(",") if one.strip()]
        for one in names:
            if one.count("/") != 1:
                raise OptionError(f"--repositories {one!r}: use owner/name")
        return list(dict.fromkeys(names)), f"{len(set(names))} repositories"
    known = places.sets()
    if name not in known:
        raise OptionError(f"--set {name!r}: choose one of {', '.join(known)}")
    return known[name], f"the {name} repositories"


def _measured(
    protocol: EvaluationProtocol,
    clones: Sequence[Clone],
    candidates: Sequence[EvaluatedModel],
    settings: Settings,
    bar: Bar,
) -> ReportSection:
    """Run a protocol, over each repository for itself where it allows, taking finished parts from the cache."""
    started = time.perf_counter()
    parts = [[clone] for clone in clones] if protocol.apart else [list(clones)]
    outcome = Outcome()
    for number, part in enumerate(parts):
        bar.part(protocol.name, number, len(parts))
        _merge(outcome, _run(protocol, part, candidates, settings, bar.step), part)
    bar.part(protocol.name, len(parts), len(parts))
    _add_means_over_training_seeds(outcome, candidates)
    cells = summarise(outcome.figures, outcome.roles, protocol.better)
    return ReportSection(protocol, outcome, cells, time.perf_counter() - started)


def _run(
    protocol: EvaluationProtocol,
    clones: Sequence[Clone],
    candidates: Sequence[EvaluatedModel],
    settings: Settings,
    progress: Progress,
) -> Outcome:
    cache = Cache(settings.cache)
    key = (
        protocol.name,
        *(f"{clone.name} {clone.head}" for clone in clones),
        *(f"{model.name} {model.hash} {model.full} {model.run is not None}" for model in candidates),
        settings.seeds,
        settings.limit,
        sorted(settings.baselines) if settings.baselines is not None else None,
        *(one.hash for one in settings.references),
        code("", "evaluation"),
    )
    name = clones[0].name if len(clones) == 1 else "all"
    file = cache.file(f"outcomes-{protocol.name}", name, key, ".json.gz")
    kept = cache.read_json(file) if protocol.apart else None
    if isinstance(kept, dict):
        return Outcome(
            figures=[Figure(**figure) for figure in kept["figures"]],
            roles={system: Role(role) for system, role in kept["roles"].items()},
            explanation=kept["explanation"],
            ranges={one: (span[0], span[1]) for one, span in kept["ranges"].items()},
            left_out=kept["left_out"],
            extra=kept["extra"],
        )
    outcome = protocol.run(clones, candidates, settings, progress)
    if protocol.apart:
        cache.write_json(file, json.loads(json.dumps(dataclasses.asdict(outcome))))
    return outcome


def _merge(whole: Outcome, part: Outcome, clones: Sequence[Clone]) -> None:
    whole.figures.extend(part.figures)
    whole.roles |= part.roles
    whole.explanation = part.explanation or whole.explanation
    whole.ranges |= part.ranges
    whole.left_out |= part.left_out
    if len(clones) == 1 and part.extra:
        whole.extra[clones[0].name] = part.extra
    elif part.extra:
        whole.extra |= part.extra


def _add_means_over_training_seeds(outcome: Outcome, candidates: Sequence[EvaluatedModel]) -> None:
    """For models that differ in their training seed alone: their mean, as a system of its own."""
    for group in loading.training_seeds(candidates):
        seeds = sorted(str(loading.training_seed(model)) for model in group)
        for role, what, systems in (
            (Role.MODEL, "", [model.name for model in group]),
            (Role.MODEL, ", whitened", [model.whitened for model in group]),
            (Role.BLEND, ", blends", [model.blend for model in group]),
        ):
            name = f"mean of training seeds {', '.join(seeds)}{what}"
            cells: dict[tuple[Any, ...], list[Figure]] = {}
            for figure in outcome.figures:
                if figure.system in systems:
                    key = (figure.metric, figure.setting, figure.repository, figure.seed)
                    cells.setdefault(key, []).append(figure)
            complete = [own for own in cells.values() if len(own) == len(group)]
            for own in complete:
                mean = sum(figure.value for figure in own) / len(own)
                outcome.figures.append(dataclasses.replace(own[0], system=name, value=mean))
            if complete:
                outcome.roles[name] = role


def _headlines(section: ReportSection) -> list[str]:
    """The first metric of every setting, for the terminal."""
    lines: list[str] = []
    for setting, metrics in section.cells.items():
        metric = next((one for one in section.protocol.better if one in metrics), next(iter(metrics)))
        shown = sorted(metrics[metric].items(), key=lambda item: item[1].mean)
        lines.append(f"{section.protocol.name.upper()} {setting}: {metric}, N {max(s.n for _, s in shown):,}")
        for system, summary in shown:
            figure = f"{summary.mean:.4f}" if abs(summary.mean) < 1_000 else f"{summary.mean:,.0f}"
            lines.append(f"  {figure}  {system}")
    return lines


def _kept() -> Path:
    """Where what was measured is kept, if no folder is named."""
    folder = cache_folder()
    if folder is None:
        raise OptionError(f"Nothing can be kept, because {NO_FOLDER}. Or name a folder with --cache.")
    return folder / "evaluation"


def _command(
    wanted: Sequence[str],
    chosen: str,
    repositories: Sequence[str] | None,
    candidates: Sequence[EvaluatedModel],
    settings: Settings,
    smoke: bool,
) -> str:
    """The command line that gives this report again, with folders by their last name."""
    parts = ["codewm eval", f"--protocols {','.join(wanted)}"]
    if smoke:
        parts.append("--smoke")
    elif repositories:
        parts += [f"--repositories {','.join(repositories)}"]
    else:
        parts.append(f"--set {chosen}")
    parts += [f"--model {model.folder.name}" for model in candidates]
    parts.append(f"--seeds {','.join(map(str, settings.seeds))}")
    if settings.limit:
        parts.append(f"--limit {settings.limit}")
    if settings.baselines is not None:
        parts.append(f"--baselines {','.join(sorted(settings.baselines)) or 'none'}")
    parts += [f"--reference {one.name}.safetensors" for one in settings.references]
    return " ".join(parts)
