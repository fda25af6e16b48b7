"""``codewm-train run``: local clones → a model of your own, and whether it is better than the shipped one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from codewm_lsp.errors import OptionError, TrainingError
from codewm_model.cli.config_command import File, Preset, Settings
from codewm_model.cli.failures import failures_in_words

if TYPE_CHECKING:
    from codewm_lsp.world_model.features import CommonWords
    from codewm_model.cli.train_progress import Progress
    from codewm_model.data.repository_corpus import RepositoryCorpus
    from codewm_model.networks.code_world_model import CodeWorldModel
    from codewm_model.settings.config import Config

_GALLERIES: Final = (("newest 300 edits", 300, 32), ("newest 3,000 edits", 3_000, None))


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
    settings: list[str]
    report_to: str
    cache: Path | None
    device: str
    name: str | None
    export: bool


def run(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run and of its bundle.")],
    repositories: Annotated[
        list[Path] | None, typer.Argument(help="Local clones to train on; none with --corpus.", metavar="REPO...")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Train on this corpus (codewm-train corpus build) instead.")
    ] = None,
    preset: Preset = None,
    config: File = None,
    validate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Clone to evaluate on, never trained on; may be repeated. Without any, the newest 10 % of "
            "every repository's edits are held out."
        ),
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="shipped, scratch, or the folder of a bundle or run to start from.")
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in the output folder.")
    ] = False,
    settings: Settings = None,
    on_collapse: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="warn, stop or fix; short for --set training.on_collapse=WHAT."),
    ] = None,
    report_to: Annotated[
        str, typer.Option(metavar="PLACE", help="none, tensorboard, trackio or wandb (offline), besides log.jsonl.")
    ] = "none",
    cache: Annotated[
        Path | None, typer.Option(help="Where corpora of clones go; the output folder's own by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    name: Annotated[str | None, typer.Option(help="Name of the model; the output folder's by default.")] = None,
    export: Annotated[
        bool,
        typer.Option("--export/--no-export", help="Make a bundle and measure it, or leave that to codewm-export."),
    ] = True,
) -> None:
    """Train on local clones and export a bundle for `--model`; says plainly whether it beats what it started from."""
    asked = [*(settings or []), *([f"training.on_collapse={on_collapse}"] if on_collapse else [])]
    options = _Options(
        repositories or [], output, corpus, preset, config, validate or [], start, resume, asked, report_to, cache,
        device, name, export,
    )  # fmt: skip
    with failures_in_words():
        _train(options)


def _train(options: _Options) -> None:
    from codewm_model.settings.toml_files import configured
    from codewm_model.training.parallel import group

    if bool(options.repositories) == bool(options.corpus):
        raise OptionError("nothing to train on: name local clones, or a corpus with --corpus DIR (and not both)")
    preset, config = configured(options.preset, options.config, options.settings)
    device = find_device(options.device)
    with group(device), _folder(options.output) as folder:
        _train_together(options, preset, config, device, folder)


def _train_together(options: _Options, preset: str, config: Config, device: Any, folder: Path) -> None:
    import torch

    from codewm_model.cli.train_progress import Progress
    from codewm_model.runs.run_folder import write_run
    from codewm_model.runs.training_log import LOG, forget_after
    from codewm_model.settings.stages import STAGES
    from codewm_model.training.loading import mined, of_clones, of_corpus
    from codewm_model.training.parallel import rank
    from codewm_model.training.reporting import global_step, reporting
    from codewm_model.training.trainer import Interrupted, read_checkpoint, steps_of, train
    from codewm_model.training.training_run import Begun, Run

    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes of torchrun on this machine
    threads = config.training.threads or max(1, (os.cpu_count() or 1) // beside)
    torch.set_num_threads(threads)
    begun = Begun(preset, options.start or ("shipped" if preset == "local" else "scratch"))
    state = read_checkpoint(folder) if options.resume else None
    if state:
        config = _resumed(state, options)
        begun = dataclasses.replace(begun, **state.get("begun", {}))
    start = begun.start
    with Progress(quiet=rank() > 0) as progress:
        corpora: list[RepositoryCorpus] = []
        cache = options.cache or options.output / "corpus"
        if options.repositories:
            corpora = mined(options.repositories, cache, config.training, progress.mining)
        held = mined(options.validate, cache, config.training, progress.mining)
        torch.manual_seed(config.training.seed)  # before a single weight is made
        model, common, about_start, before = _begin(start, config, state)
        config = dataclasses.replace(config, architecture=model.config)
        if options.corpus:
            material = of_corpus(options.corpus, config.training, held, common)
        else:
            material = of_clones(corpora, held, common)
        diagnostics: dict[str, float] = {}
        first = 0
        if state:
            reached = steps_of(config, STAGES[-1]) if state["finished"] else state["step"]
            first = global_step(config, state["stage"], reached)
            diagnostics = _last_diagnostics(forget_after(folder / LOG, state["stage"], reached))
        with (
            (folder / LOG).open("a" if state else "w", encoding="utf-8") as log,
            reporting("none" if rank() else options.report_to, folder, config, first) as figures,
            asked_to_stop() as stop,
        ):

            def report(record: dict[str, Any]) -> None:
                log.write(json.dumps(record) + "\n")
                log.flush()
                figures(record)
                diagnostics.update(_figures(record))
                progress.record(record)

            try:
                train(
                    Run(
                        model.to(device),
                        config,
                        material.common,
                        material.data,
                        material.validation,
                        folder,
                        report,
                        advance=progress.step,
                        stop=stop,
                        device=device,
                        begun=begun,
                        stream=material.stream,
                    ),
                    resume=options.resume,
                )
            except Interrupted:
                raise TrainingError(f"stopped; go on with --resume (checkpoint in {options.output})") from None
        if rank():
            return
        known = {r["name"] for r in material.trained_on}
        earlier = [r for r in about_start.get("trained_on", []) if r["name"] not in known]
        trained_on = material.trained_on + earlier
        about: dict[str, Any] = {
            "trained_on": trained_on,
            "edits": sum(r["edits"] for r in trained_on),
            "config": config.as_dict(),
            "training": {
                "preset": begun.preset,
                "from": start if start in ("scratch", "shipped") else about_start.get("name", "a run"),
                "seed": config.training.seed,
                "steps": {stage: steps_of(config, stage) for stage in STAGES},
                "minutes": round(begun.spent(), 1),
                "device": device.type,
                "threads": threads,
            },
            "diagnostics": diagnostics or about_start.get("diagnostics", {}),
        }
        name = options.name or options.output.resolve().name
        model = model.cpu()
        write_run(folder, model, material.common, config, about)
        if not options.export:
            return
        clones = options.validate or options.repositories
        _export(options, model, material.common, about, name, before, clones, held or corpora, progress)
        write_run(folder, model, material.common, config, about)
    _say_how_good(about, name, before, options.output)


def _begin(
    start: str, config: Config, state: dict[str, Any] | None
) -> tuple[CodeWorldModel, CommonWords | None, dict[str, Any], Path | None]:
    """The model to train, its common words (none yet from scratch), what is known of it, and its bundle, if any.

    Raises OptionError when the configuration asks for another architecture than the model has that it starts from.
    """
    import numpy as np

    from codewm_export.reading import weights_of_bundle
    from codewm_lsp.world_model import shipped
    from codewm_lsp.world_model.features import CommonWords
    from codewm_model.networks.code_world_model import CodeWorldModel
    from codewm_model.runs.run_folder import read_run
    from codewm_model.settings.config import ArchitectureConfig

    before: Path | None = None
    about: dict[str, Any] = {}
    model, common = None, None
    if start != "scratch":
        folder = shipped() if start == "shipped" else Path(start)
        if (folder / "model.safetensors").exists():
            model, common, about = read_run(folder)
        else:
            model, common, about = weights_of_bundle(folder)
        before = folder if (folder / "model.json").exists() else None
        if not state and config.architecture not in (ArchitectureConfig(), model.config):
            raise OptionError(
                f"the settings of [architecture] differ from those of the model to start from ({start}): "
                f"leave them out, or train with --from scratch"
            )
    if state:
        return (
            CodeWorldModel(config.architecture), CommonWords(state["common"].numpy().astype(np.uint32)), about, before,
        )  # fmt: skip
    return model or CodeWorldModel(config.architecture), common, about, before


def _resumed(state: dict[str, Any], options: _Options) -> Config:
    """The configuration of the checkpoint, with what the file and the command line say now."""
    from codewm_model.settings.config import Config
    from codewm_model.settings.toml_files import overridden, read_toml, with_table

    config = begun = Config.from_dict(json.loads(state["config"]))
    if options.config:
        data = read_toml(options.config)
        data.pop("preset", None)
        config = with_table(config, data, str(options.config))
    config = overridden(config, options.settings)
    if config.architecture != begun.architecture:
        raise OptionError("the architecture of a run cannot change when it is resumed: leave [architecture] as it was")
    return config


def _export(
    options: _Options,
    model: CodeWorldModel,
    common: CommonWords,
    about: dict[str, Any],
    name: str,
    before: Path | None,
    clones: list[Path],
    corpora: list[RepositoryCorpus],
    progress: Progress,
) -> None:
    """Write the bundle, measure it where there are clones to measure on, and write what was found into it."""
    from codewm_export.bundle import describe_bundle, write_bundle
    from codewm_lsp.world_model import WorldModel
    from codewm_model.evaluation.bundle_retrieval import measure
    from codewm_model.runs.model_card import card
    from codewm_model.training.loading import HOLD_OUT

    progress.say("Exporting and checking the bundle")
    write_bundle(model, common, options.output, name=name, about=about, card=card(name, about))
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
    describe_bundle(options.output, about=about, card=card(name, about))


def _say_how_good(about: dict[str, Any], name: str, before: Path | None, output: Path) -> None:
    if "evaluation" not in about:
        typer.echo(f"The bundle is in {output}. It was not measured: name clones to measure it on with --validate.")
        return
    rows = about["evaluation"]["rows"]
    for row in rows:
        scores = "  ".join(f"{key} {row[key]:.3f}" for key in ("random", "words", *about["evaluation"]["models"]))
        typer.echo(f"{row['what']}: MRR@10  {scores}  ({row['queries']:,} queries)")
    typer.echo(about["evaluation"]["verdict"])
    if before:
        first = rows[0] if rows else None
        if first and first[name] > first["shipped"]:
            gain = 100 * (first[name] / max(1e-9, first["shipped"]) - 1)
            typer.echo(f"Better than the shipped model here by {gain:.1f} %. Use it with --model {output}")
        else:
            typer.echo("NOT better than the shipped model here: keep the shipped one.")


@contextlib.contextmanager
def _folder(output: Path) -> Iterator[Path]:
    """Where this process writes: the output folder, or one that is thrown away when another process is the first."""
    from codewm_model.training.parallel import file_of_first, rank
    from codewm_model.training.trainer import CHECKPOINT

    if rank() == 0:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise OptionError(f"--output {output} cannot be made ({error.strerror}): name another folder") from None
        file_of_first(output / CHECKPOINT, output / CHECKPOINT)
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="codewm-train-") as scratch:
        file_of_first(output / CHECKPOINT, Path(scratch) / CHECKPOINT)
        yield Path(scratch)


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


def _figures(record: dict[str, Any]) -> dict[str, float]:
    """The diagnostics of an evaluation of transitions; nothing of any other record."""
    if record.get("stage") not in ("transition", "predictor") or not record.get("evaluation"):
        return {}
    return {key: value for key, value in record.items() if isinstance(value, float)}


def _last_diagnostics(records: list[dict[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in records:
        found.update(_figures(record))
    return found


def find_device(name: str) -> Any:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"device {name!r} cannot be used here ({error}): use --device cpu") from error
    return device
