"""E7: does the int4 bundle do what the fp32 weights do?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from codewm_lsp.world_model.bundle import MAX_BYTES
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import (
    EVERYWHERE,
    Clone,
    EvaluatedModel,
    EvaluationProtocol,
    Figure,
    Outcome,
    Progress,
    Role,
    Settings,
)
from codewm_model.evaluation.models import embed, in_full_precision
from codewm_model.evaluation.repositories import newest_commits
from codewm_model.evaluation.sibling_search import LARGEST, fewest
from codewm_model.evaluation.significance import summarise

MOST: Final = 0.005
COSINE: Final = 0.99
_DIFFERENCE: Final = "largest difference of a figure"
_FIRST: Final = "embedding cosine, 1st percentile"
_MEDIAN: Final = "embedding cosine, median"
_BYTES: Final = "bytes"


class Parity:
    """E7, on what other protocols measure."""

    name = "e7"
    title = "E7: deployment parity: int4 against fp32"
    apart = False
    better: Mapping[str, bool | None] = {_DIFFERENCE: None, _FIRST: None, _MEDIAN: None, _BYTES: None}

    def __init__(self, measured: Sequence[EvaluationProtocol]) -> None:
        self.measured = measured
        self.known: dict[str, Outcome] = {}
        """What was measured with the same models and settings before, by the name of the protocol."""

    def run(
        self, repositories: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings, progress: Progress
    ) -> Outcome:
        """Measure every model of which both are at hand twice, and compare."""
        outcome = Outcome(explanation=_EXPLANATION)
        cache = Cache(settings.cache)
        plain = dataclasses.replace(settings, baselines=frozenset())
        missing: list[str] = []
        for model in models:
            outcome.roles[model.name] = Role.MODEL
            size = model.world.bundle.bytes if not model.full else None
            full = in_full_precision(model)
            if size is not None:
                self._note(outcome, _BYTES, model, float(size), 1, settings)
            if full is None:
                missing.append(model.name)
                continue
            cosines: list[float] = []
            for clone in repositories:
                commits = fewest(newest_commits(clone, LARGEST, cache))
                pairs = [(edit.before, edit.after) for commit in commits for edit in commit.edits]
                if not pairs:
                    continue
                both = [embed(one, clone, pairs, cache, progress) for one in (model, full)]
                seen = np.linalg.norm(both[0], axis=1) > 0
                cosines.extend((both[0] * both[1]).sum(1)[seen].tolist())
            if cosines:
                self._note(outcome, _FIRST, model, float(np.quantile(cosines, 0.01)), len(cosines), settings)
                self._note(outcome, _MEDIAN, model, float(np.median(cosines)), len(cosines), settings)
            rows: list[dict[str, object]] = []
            for protocol in self.measured:
                clones = [[clone] for clone in repositories] if protocol.apart else [list(repositories)]
                figures: list[Figure] = []
                roles: dict[str, Role] = {}
                earlier = self.known.get(protocol.name)
                if earlier is not None:
                    figures.extend(f for f in earlier.figures if f.system in (model.name, model.blend))
                for some in clones:
                    found = protocol.run(some, [full] if earlier else [model, full], plain, progress)
                    figures.extend(found.figures)
                    roles |= found.roles
                for setting, metrics in summarise(figures, roles, {}).items():
                    for metric, systems in metrics.items():
                        for small, large in ((model.name, full.name), (model.blend, full.blend)):
                            if small in systems and large in systems:
                                rows.append(
                                    {
                                        "protocol": protocol.name,
                                        "setting": setting,
                                        "metric": metric,
                                        "system": small,
                                        "int4": systems[small].mean,
                                        "fp32": systems[large].mean,
                                        "difference": systems[small].mean - systems[large].mean,
                                    }
                                )
            outcome.extra[model.name] = {"fp32 hash": full.hash, "figures": rows}
            if rows:
                worst = max(abs(float(str(row["difference"]))) for row in rows)
                self._note(outcome, _DIFFERENCE, model, worst, len(rows), settings)
                outcome.explanation += _table(model.name, rows)
        if missing:
            outcome.explanation += (
                f"\nFor {', '.join(missing)} no fp32 weights are at hand (name the folder of the training run, which "
                "holds both the bundle and model.safetensors): the size alone is given.\n"
            )
        return outcome

    def _note(
        self, outcome: Outcome, metric: str, model: EvaluatedModel, value: float, count: int, settings: Settings
    ) -> None:
        outcome.figures.append(
            Figure(self.name, metric, "int4 against fp32", model.name, EVERYWHERE, value, count, settings.seeds[0])
        )


def _table(name: str, rows: Sequence[Mapping[str, object]]) -> str:
    lines = [
        "",
        f"Figures of {name} in both precisions, means over repositories and seeds:",
        "",
        "| protocol | setting | metric | system | int4 | fp32 | difference |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        small, large, difference = (float(str(row[key])) for key in ("int4", "fp32", "difference"))
        mark = "" if abs(difference) <= MOST else " (over)"
        lines.append(
            f"| {str(row['protocol']).upper()} | {row['setting']} | {row['metric']} | {row['system']} | {small:.4f} | "
            f"{large:.4f} | {difference:+.4f}{mark} |"
        )
    return "\n".join(lines) + "\n"


_EXPLANATION = f"""\
Compares the bundle as the product runs it (int4 weights, ONNX Runtime) with the unrounded weights of its training run
(PyTorch), on the same features, edits, queries and seeds. E4 is measured without its gallery of 3,000. Required: no
figure differs by more than {MOST}, the embedding cosine is at least {COSINE} at the 1st percentile, and the bundle
has at most {MAX_BYTES:,} bytes.
"""
