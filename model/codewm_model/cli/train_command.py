"""``codewm-train run``: local clones → a model of your own, and whether it is better than the shipped one."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from codewm_lsp.errors import OptionError, TrainingError
from codewm_model.cli.config_command import File, Networks, Preset, Settings
from codewm_model.cli.failures import failures_in_words

if TYPE_CHECKING:
    import torch

    from codewm_lsp.world_model.features import CommonWords
    from codewm_model.cli.train_progress import Progress
    from codewm_model.data.repository_corpus import RepositoryCorpus
    from codewm_model.networks.code_world_model import CodeWorldModel
    from codewm_model.settings.config import Config
    from codewm_model.training.checkpoint import Checkpoint
    from codewm_model.training.train_from import Result, RunSettings

_GALLERIES: Final = (("newest 300 edits", 300, 32), ("newest 3,000 edits", 3_000, None))
MAKER: Final = "codewm-train"


@dataclass(frozen=True, slots=True)
class _Options:
    """What was asked for on the command line."""

    repositories: list[Path]
    output: Path
    corpus: Path | None
    preset: str | None
    config: Path | None
    validate: list[Path]
    start: str
    resume: bool
    overwrite: bool
    settings: list[str]
    report_to: str
    cache: Path | None
    device: str
    name: str | None
    export: bool
    architecture: str | None


def run(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the run and the model: a new or an empty one.")
    ],
    repositories: Annotated[
        list[Path] | None, typer.Argument(help="Local clones to train on (not with --corpus).", metavar="REPO...")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Train on a corpus made by codewm-train corpus build instead.")
    ] = None,
    preset: Preset = None,
    config: File = None,
    validate: Annotated[
        list[Path] | None,
        typer.Option(
            help="A clone to evaluate on, which is not trained on; may be repeated. By default, the newest 10 % of "
            "every repository's edits are held out."
        ),
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="What to start from: shipped, scratch, or the folder of a model or run.")
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint in the output folder.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the output folder.")] = False,
    settings: Settings = None,
    architecture: Networks = None,
    on_collapse: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="What to do about a collapse: warn, stop or fix."),
    ] = None,
    report_to: Annotated[
        str,
        typer.Option(
            metavar="PLACE", help="Where to report besides log.jsonl: none, tensorboard, trackio or wandb (offline)."
        ),
    ] = "none",
    cache: Annotated[
        Path | None, typer.Option(help="Folder for the corpora of clones (default: in the output folder).")
    ] = None,
    device: Annotated[str, typer.Option(help="The device to train on: auto, cpu, cuda or mps.")] = "auto",
    name: Annotated[str | None, typer.Option(help="Name of the model (default: that of the output folder).")] = None,
    export: Annotated[
        bool,
        typer.Option("--export/--no-export", help="Export the model and measure it, or leave that to codewm-export."),
    ] = True,
) -> None:
    """Train a model on local clones, export it for `--model`, and say whether it beats the shipped one."""
    asked = [*(settings or []), *([f"training.on_collapse={on_collapse}"] if on_collapse else [])]
    options = _Options(
        repositories or [], output, corpus, preset, config, validate or [], start, resume, overwrite, asked, report_to,
        cache, device, name, export, architecture,
    )  # fmt: skip
    with failures_in_words():
        _train(options)


def _train(options: _Options) -> None:
    from codewm_model.networks.architectures import settings_of
    from codewm_model.settings.toml_files import configured
    from codewm_model.training.parallel import group

    if bool(options.repositories) == bool(options.corpus):
        raise OptionError("Nothing to train on. Name local clones, or a corpus with --corpus DIR, but not both.")
    if options.resume and options.overwrite:
        raise OptionError("--resume and --overwrite cannot be used together.")
    chosen = settings_of(options.architecture) if options.architecture else None
    preset, config = configured(options.preset, options.config, options.settings, chosen)
    device = find_device(options.device)
    with group(device), _folder(options) as folder:
        _train_together(options, preset, config, device, folder)


def _train_together(options: _Options, preset: str, config: Config, device: torch.device, folder: Path) -> None:
    from codewm_model.artifacts.run_folder import forget_run, write_run
    from codewm_model.cli.train_progress import Progress
    from codewm_model.settings.stages import STAGES, steps_of
    from codewm_model.training.checkpoint import read_checkpoint
    from codewm_model.training.loading import mined, of_clones, of_corpus
    from codewm_model.training.parallel import rank
    from codewm_model.training.train_from import RunSettings
    from codewm_model.training.training_run import Begun

    begun = Begun(preset, options.start or ("shipped" if preset == "local" else "scratch"))
    if options.architecture and (options.resume or begun.start != "scratch"):
        raise OptionError("--architecture is for a new model: add --from scratch, and leave out --resume")
    checkpoint = read_checkpoint(folder) if options.resume else None
    if checkpoint:
        begun = checkpoint.begun
        config = _resumed(checkpoint, options)
    with Progress(quiet=rank() > 0) as progress:
        corpora: list[RepositoryCorpus] = []
        cache = options.cache or options.output / "corpus"
        if options.repositories:
            corpora = mined(options.repositories, cache, config.training, progress.mining)
        held = mined(options.validate, cache, config.training, progress.mining)
        origin = _origin(begun.start, config, resumed=checkpoint is not None)
        common = checkpoint.common if checkpoint else origin.common
        if options.corpus:
            material = of_corpus(options.corpus, config.training, held, common)
        else:
            material = of_clones(corpora, held, common)
        if origin.model and not checkpoint:
            config = dataclasses.replace(config, architecture=origin.model.config)
        settings = RunSettings(folder, config, material, origin.model, checkpoint, begun, device)
        if options.overwrite:
            forget_run(folder)
        to_come = STAGES[STAGES.index(checkpoint.stage) :] if checkpoint else STAGES
        progress.stages({stage: steps_of(config, stage) for stage in to_come})
        result = _trained(settings, options, progress)
        if rank():
            return
        about = _about(result, settings, origin)
        name = options.name or options.output.resolve().name
        write_run(folder, result.model, result.common, config, about)
        if not options.export:
            return
        clones = options.validate or options.repositories
        _export(options, result, about, name, origin.bundle, clones, held or corpora, progress)
        write_run(folder, result.model, result.common, config, about)
    _say_how_good(about, name, origin.bundle, options.output)


def _trained(settings: RunSettings, options: _Options, progress: Progress) -> Result:
    """Run it, with the figures going where they are wanted."""
    from codewm_model.settings.stages import global_step
    from codewm_model.training.parallel import rank
    from codewm_model.training.reporting import reporting
    from codewm_model.training.train_from import train_from
    from codewm_model.training.trainer import Interrupted

    config, checkpoint = settings.config, settings.checkpoint
    first = global_step(config, checkpoint.stage, checkpoint.reached(config)) if checkpoint else 0
    with (
        reporting("none" if rank() else options.report_to, settings.folder, config, first) as figures,
        asked_to_stop() as stop,
    ):

        def report(record: dict[str, Any]) -> None:
            figures(record)
            progress.record(record)

        try:
            return train_from(settings, report=report, advance=progress.step, stop=stop)
        except Interrupted:
            raise TrainingError(f"stopped. Continue with --resume (the checkpoint is in {options.output})") from None


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a run starts from: a model, its common words, what is known of it, and its bundle; nothing, from scratch."""

    model: CodeWorldModel | None = None
    common: CommonWords | None = None
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    bundle: Path | None = None


def _origin(start: str, config: Config, *, resumed: bool) -> _Origin:
    """Read what to start from.

    Raises OptionError when the configuration asks for another architecture than the model has that it starts from.
    """
    from codewm_lsp.world_model import shipped
    from codewm_model.artifacts.bundle_format import bundle_format
    from codewm_model.artifacts.run_folder import WEIGHTS, read_run
    from codewm_model.settings.config import ArchitectureConfig

    if start == "scratch":
        return _Origin()
    folder = shipped() if start == "shipped" else Path(start)
    read = read_run if (folder / WEIGHTS).exists() else bundle_format().read
    model, common, about = read(folder)
    if not resumed and config.architecture not in (ArchitectureConfig(), model.config):
        raise OptionError(
            f"the settings of [architecture] differ from those of the model to start from ({start}): "
            f"leave them out, or train with --from scratch"
        )
    return _Origin(model, common, about, folder if (folder / "model.json").exists() else None)


def _resumed(checkpoint: Checkpoint, options: _Options) -> Config:
    """The configuration of the checkpoint, with what the file and the command line say now."""
    from codewm_model.settings.toml_files import overridden, read_toml, with_table

    config = checkpoint.config
    if options.config:
        data = read_toml(options.config)
        data.pop("preset", None)
        config = with_table(config, data, str(options.config))
    config = overridden(config, options.settings)
    if config.architecture != checkpoint.config.architecture:
        raise OptionError("the architecture of a run cannot change when it is resumed: leave [architecture] as it was")
    return config


def _about(result: Result, settings: RunSettings, origin: _Origin) -> dict[str, Any]:
    """What is known of a finished run, for its folder, its bundle and its card."""
    from codewm_model.settings.stages import STAGES, steps_of
    from codewm_model.training.train_from import threads

    config, begun = settings.config, settings.begun
    known = {r["name"] for r in settings.material.trained_on}
    earlier = [r for r in origin.about.get("trained_on", []) if r["name"] not in known]
    trained_on = settings.material.trained_on + earlier
    return {
        "trained_on": trained_on,
        "edits": sum(r["edits"] for r in trained_on),
        "config": config.as_dict(),
        "training": {
            "preset": begun.preset,
            "from": begun.start if begun.start in ("scratch", "shipped") else origin.about.get("name", "a run"),
            "seed": config.training.seed,
            "steps": {stage: steps_of(config, stage) for stage in STAGES},
            "minutes": round(result.minutes, 1),
            "device": settings.device.type,
            "threads": threads(config),
        },
        "diagnostics": result.diagnostics() or origin.about.get("diagnostics", {}),
    }


def _export(
    options: _Options,
    result: Result,
    about: dict[str, Any],
    name: str,
    before: Path | None,
    clones: list[Path],
    corpora: list[RepositoryCorpus],
    progress: Progress,
) -> None:
    """Write the bundle, measure it where there are clones to measure on, and write what was found into it."""
    from codewm_lsp.world_model import WorldModel
    from codewm_model.artifacts.bundle_format import bundle_format
    from codewm_model.artifacts.model_card import card
    from codewm_model.evaluation.bundle_retrieval import measure
    from codewm_model.training.loading import HOLD_OUT

    progress.say("Exporting and checking the model")
    form = bundle_format()
    form.write(result.model, result.common, options.output, name=name, about=about, card=card(name, about))
    if not clones:
        return
    held_out = "repositories, on their newest 10 % of edits (held out)"
    models = {"shipped": WorldModel.load(before)} if before else {}
    models[name] = WorldModel.load(options.output)
    about["evaluation"] = measure(
        clones,
        corpora,
        models,
        galleries=_GALLERIES,
        share=None if options.validate else HOLD_OUT,
        what="validation repositories" if options.validate else held_out,
        progress=lambda text: progress.say(f"Measuring on {text}"),
    )
    form.describe(options.output, about=about, card=card(name, about))


def _say_how_good(about: dict[str, Any], name: str, before: Path | None, output: Path) -> None:
    if "evaluation" not in about:
        typer.echo(f"The model is in {output}. It was not measured: use --validate to name clones to measure it on.")
        return
    rows = about["evaluation"]["rows"]
    for row in rows:
        scores = "  ".join(f"{key} {row[key]:.3f}" for key in ("random", "words", *about["evaluation"]["models"]))
        typer.echo(f"{row['what']}: MRR@10  {scores}  ({row['queries']:,} queries)")
    typer.echo(about["evaluation"]["verdict"])
    if before:
        typer.echo(gain_in_words(about["evaluation"]["gain"], output))


def gain_in_words(gain: dict[str, float] | None, output: Path) -> str:
    """Whether a new model is better than the shipped one beyond chance, and what to do."""
    if gain is None:
        return "It could not be compared with the shipped model. Keep the shipped one."
    figures = (
        f"MRR@10 {gain['mean']:+.3f}, 95 % interval {gain['low']:+.3f} to {gain['high']:+.3f}, "
        f"{gain['queries']:,.0f} queries of {gain['commits']:,.0f} commits"
    )
    if gain["low"] > 0:
        return f"Better than the shipped model here ({figures}). Use it with --model {output}"
    if gain["high"] < 0:
        return f"Worse than the shipped model here ({figures}). Keep the shipped one."
    return f"No better than the shipped model here, beyond chance ({figures}). Keep the shipped one."


@contextlib.contextmanager
def _folder(options: _Options) -> Iterator[Path]:
    """Where this process writes: the output folder, or one that is thrown away when another process is the first."""
    from codewm_model.artifacts.run_folder import CHECKPOINT
    from codewm_model.training.parallel import file_of_first, rank

    output = options.output
    if rank() == 0:
        _claim(options)
        file_of_first(output / CHECKPOINT, output / CHECKPOINT)
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="codewm-train-") as scratch:
        file_of_first(output / CHECKPOINT, Path(scratch) / CHECKPOINT)
        yield Path(scratch)


def _claim(options: _Options) -> None:
    """Make the output folder, or take it when there is nothing in it that would be lost. Raises OptionError."""
    from codewm_lsp.output_folder import claim
    from codewm_model.artifacts.run_folder import CHECKPOINT, WEIGHTS
    from codewm_model.training.checkpoint import has_checkpoint

    output = options.output
    claim(
        output,
        MAKER,
        also=("codewm-export",),
        results=(WEIGHTS, "model.json"),
        unmarked=(CHECKPOINT,) if options.resume else (),
        overwrite=options.overwrite or options.resume,
    )
    if has_checkpoint(output) and not (options.resume or options.overwrite):
        raise OptionError(
            f"--output {output} holds an unfinished run. Continue it with --resume, or replace it with --overwrite."
        )


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, or the process asked to end: it stops after the step, with a checkpoint.

    Asked again, it ends at once.
    """
    asked: list[int] = []

    def note(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def find_device(name: str) -> torch.device:
    """The device of that name, ``auto`` for the best. Raises OptionError when it cannot be used."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"device {name!r} cannot be used here ({error}): use --device cpu") from error
    return device
