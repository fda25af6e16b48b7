"""The model card: written from what was measured, whatever it says."""

from __future__ import annotations

from typing import Any


def card(name: str, about: dict[str, Any]) -> str:
    """Markdown for the bundle's README.md; ``about`` is what goes into ``model.json``."""
    training = about["training"]
    lines = [
        f"# {name}",
        "",
        "A tiny world model of code: a state encoder, a transition predictor, an edit encoder and a next-edit",
        "predictor, stored in int4 ONNX.",
        "Made by `codewm-train`; used by `codewm`, `codewm-lsp` and their `--model` option.",
        "",
        "## Trained on",
        "",
        f"{about['edits']:,} edits of {len(about['trained_on'])} repositories, {training['minutes']:.0f} minutes on "
        f"{training['device']}, seed {training['seed']}; "
        + ", ".join(f"{steps:,} steps of stage *{stage}*" for stage, steps in training["steps"].items())
        + "."
        + (f" {training['note']}" if training.get("note") else ""),
        "",
        "| repository | head commit | edits |",
        "| --- | --- | --- |",
        *(f"| {r['name']} | `{r['head'][:12]}` | {r['edits']:,} |" for r in about["trained_on"]),
        "",
    ]
    evaluation = about.get("evaluation")
    if evaluation:
        lines += [
            "## Sibling retrieval (E4)",
            "",
            f"Given one edit of a commit, are its siblings found among the repository's other edits? MRR@10, mean over "
            f"{len(evaluation['repositories'])} {evaluation['what']}: {', '.join(evaluation['repositories'])}. Ties at "
            f"random. Measured with the int4 bundle.",
            "",
            "| gallery | queries | random | words, idf | " + " | ".join(evaluation["models"]) + " |",
            "| --- | --- | --- | --- |" + " --- |" * len(evaluation["models"]),
        ]
        for row in evaluation["rows"]:
            cells = [f"{row[key]:.3f}" for key in ("random", "words", *evaluation["models"])]
            lines.append(f"| {row['what']} | {row['queries']:,} | " + " | ".join(cells) + " |")
        lines += ["", evaluation["verdict"], ""]
    lines += _learnt_beside(about)
    if about.get("diagnostics"):
        lines += ["## Health of the representation", "", "| what | value |", "| --- | --- |"]
        lines += [f"| {key.replace('_', ' ')} | {value:.4g} |" for key, value in about["diagnostics"].items()]
        lines += [
            "",
            "`transition cosine paper` is the paper's own figure (from the online state); `transition cosine` has both",
            "ends in the target's space.",
            "`knn@k`: the true next state is among the k nearest of all `transitions` next states.",
            "",
        ]
    lines += [
        "## Limits",
        "",
        "Python only. It knows the few thousand words many repositories share and treats every other word alike; a",
        "repository's own history gives the rest at run time. It holds no text of what it was trained on.",
        "",
    ]
    return "\n".join(lines)


def _learnt_beside(about: dict[str, Any]) -> list[str]:
    """What the bundle holds besides the model, and what it was learnt on."""
    lines = []
    if ranker := about.get("ranker"):
        lists, worth = ranker["lists"], ranker["validation_mrr"]
        lines.append(
            f"- `ranker.npz` ranks what is edited next: learnt on {lists['definitions']:,} lists of definitions and "
            f"{lists['files']:,} of files of {len(ranker['train'])} repositories. On {len(ranker['validation'])} "
            f"validation repositories the first right one has a mean reciprocal rank of {worth['definitions']:.3f} and "
            f"{worth['files']:.3f}. It does not ask the model."
        )
    if evidence := about.get("evidence"):
        learnt, held = evidence["places"]
        lines.append(
            f"- `evidence.npz` chooses the past edits shown behind a prediction: learnt on {learnt:,} places of "
            f"{len(evidence['train'])} repositories, its threshold chosen on {held:,} of the validation repositories."
        )
    return ["## Learnt beside the model", "", *lines, ""] if lines else []
