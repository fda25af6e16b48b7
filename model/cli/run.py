"""``codewm-train run``: local clones → a model of your own, and whether it is better than the shipped one."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from codewm_lsp.errors import OptionError, TrainingError
from codewm_model.cli.failures import failures_in_words

_GALLERIES = (("newest 300 edits", 300, 32), ("newest 3,000 edits", 3_000, None))
_HOLD_OUT = 0.1


def run(
    repositories: Annotated[list[Path], typer.Argument(help="Local clones to train on.", metavar="REPO...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run and of its bundle.")],
    preset: Annotated[
        str, typer.Option(help="local (a laptop, under ten minutes), base (the shipped model), smoke.")
    ] = ("local"),
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
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the training configuration; may be repeated.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where corpus files go; the output folder's own by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    name: Annotated[str | None, typer.Option(help="Name of the model; the output folder's by default.")] = None,
) -> None:
    """Train on local clones and export a bundle for `--model`; says plainly whether it beats what it started from."""
    with failures_in_words():
        _train(repositories, output, preset, validate or [], start, resume, settings or [], cache, device, name)


def _train(
    repositories: list[Path],
    output: Path,
    preset: str,
    validate: list[Path],
    start: str,
    resume: bool,
    settings: list[str],
    cache: Path | None,
    device_name: str,
    name: str | None,
) -> None:
    import torch

    from codewm_export.bundle import write_bundle
    from codewm_export.reading import weights_of_bundle
    from codewm_lsp.world_model import WorldModel, shipped
    from codewm_model.architecture import CodeWorldModel
    from codewm_model.card import card
    from codewm_model.config import PRESETS, Config
    from codewm_model.corpus import RepositoryCorpus, build, common_words, load
    from codewm_model.data import STAGES, Dataset
    from codewm_model.measure import measure
    from codewm_model.progress import Progress
    from codewm_model.run import Run
    from codewm_model.runs import LOG, read_run, write_run
    from codewm_model.trainer import Interrupted, read_checkpoint, steps_of, train

    if preset not in PRESETS:
        raise OptionError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    config = _override(PRESETS[preset], settings)
    start = start or ("shipped" if preset == "local" else "scratch")
    output.mkdir(parents=True, exist_ok=True)
    threads = config.training.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    chosen = _device(device_name)
    began = time.monotonic()
    with Progress() as progress:
        corpora: list[RepositoryCorpus] = []
        held: list[RepositoryCorpus] = []
        for clones, target in ((repositories, corpora), (validate, held)):
            for clone in clones:
                file = build(
                    clone,
                    cache or output / "corpus",
                    edits=config.training.edits_per_repository,
                    progress=progress.mining,
                )
                target.append(load(file))
        torch.manual_seed(config.training.seed)  # before a single weight is made
        before: Path | None = None
        about_start: dict[str, Any] = {}
        if start == "scratch":
            model, common = CodeWorldModel(config.architecture), common_words(corpora)
        else:
            folder = shipped() if start == "shipped" else Path(start)
            if (folder / "model.safetensors").exists():
                model, common, about_start = read_run(folder)
            else:
                model, common, about_start = weights_of_bundle(folder)
            before = folder if (folder / "model.json").exists() else None
            config = dataclasses.replace(config, architecture=model.config)
        if resume:
            import numpy as np

            from codewm_lsp.world_model.features import CommonWords

            state = read_checkpoint(output)
            config = _override(Config.from_dict(json.loads(state["config"])), settings)
            common = CommonWords(state["common"].numpy().astype(np.uint32))
            model = CodeWorldModel(config.architecture)
        data = Dataset(corpora, hold_out=0.0 if held else _HOLD_OUT)
        diagnostics = _last_diagnostics(output / LOG) if resume else {}
        with (output / LOG).open("a" if resume else "w", encoding="utf-8") as log:

            def report(record: dict[str, Any]) -> None:
                log.write(json.dumps(record) + "\n")
                log.flush()
                if record.get("evaluation"):
                    diagnostics.update(_figures(record))
                    progress.evaluation(record)

            stopping: list[int] = []
            previous = signal.signal(signal.SIGINT, lambda number, frame: stopping.append(number))
            try:
                train(
                    Run(
                        model.to(chosen),
                        config,
                        common,
                        data,
                        held,
                        output,
                        report,
                        advance=progress.step,
                        stop=lambda: bool(stopping),
                        device=chosen,
                    ),
                    resume=resume,
                )
            except Interrupted:
                raise TrainingError(f"stopped; go on with --resume (checkpoint in {output})") from None
            finally:
                signal.signal(signal.SIGINT, previous)
        trained_on = [{"name": c.name.replace("+", "/"), "head": c.head, "edits": len(c)} for c in corpora]
        earlier = [r for r in about_start.get("trained_on", []) if r["name"] not in {t["name"] for t in trained_on}]
        about: dict[str, Any] = {
            "trained_on": trained_on + earlier,
            "edits": sum(r["edits"] for r in trained_on + earlier),
            "config": config.as_dict(),
            "training": {
                "preset": preset,
                "from": start if start in ("scratch", "shipped") else about_start.get("name", "a run"),
                "seed": config.training.seed,
                "steps": {stage: steps_of(config, stage) for stage in STAGES},
                "minutes": round((time.monotonic() - began) / 60, 1),
                "device": chosen.type,
                "threads": threads,
            },
            "diagnostics": diagnostics or about_start.get("diagnostics", {}),
        }
        name = name or output.resolve().name
        model = model.cpu()
        progress.say("Exporting and checking the bundle")
        write_run(output, model, common, config, about)
        write_bundle(model, common, output, name=name, about=about, card=card(name, about))
        models = {"shipped": WorldModel.load(before)} if before else {}
        models[name] = WorldModel.load(output)
        about["evaluation"] = measure(
            validate or repositories,
            held or corpora,
            models,
            galleries=_GALLERIES,
            share=None if held else _HOLD_OUT,
            what="validation repositories" if held else "repositories, on their newest 10 % of edits (held out)",
            progress=lambda text: progress.say(f"Measuring on {text}"),
        )
        write_run(output, model, common, config, about)
        write_bundle(model, common, output, name=name, about=about, card=card(name, about))
    for row in about["evaluation"]["rows"]:
        scores = "  ".join(f"{key} {row[key]:.3f}" for key in ("random", "words", *models))
        typer.echo(f"{row['what']}: MRR@10  {scores}  ({row['queries']:,} queries)")
    typer.echo(about["evaluation"]["verdict"])
    if before:
        first = about["evaluation"]["rows"][0] if about["evaluation"]["rows"] else None
        if first and first[name] > first["shipped"]:
            gain = 100 * (first[name] / max(1e-9, first["shipped"]) - 1)
            typer.echo(f"Better than the shipped model here by {gain:.1f} %. Use it with --model {output}")
        else:
            typer.echo("NOT better than the shipped model here: keep the shipped one.")


def _figures(record: dict[str, Any]) -> dict[str, float]:
    """The diagnostics of a transition evaluation; nothing of any other record."""
    if record.get("stage") != "transition" or not record.get("evaluation"):
        return {}
    return {key: value for key, value in record.items() if key not in ("stage", "step", "evaluation")}


def _last_diagnostics(log: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            try:
                found.update(_figures(json.loads(line)))
            except ValueError:
                continue  # a line cut short when the run was killed
    return found


def _override(config: Any, settings: list[str]) -> Any:
    values = config.as_dict()
    for setting in settings:
        key, separator, value = setting.partition("=")
        section = "architecture" if key in values["architecture"] else "training"
        if not separator:
            raise OptionError(f"--set {setting!r}: write NAME=VALUE")
        try:
            values[section][key] = json.loads(value)
        except ValueError:
            values[section][key] = value
    return type(config).from_dict(values)


def _device(name: str) -> Any:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"device {name!r} cannot be used here ({error}): use --device cpu") from error
    return device
