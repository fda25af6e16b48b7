"""The next-edit predictor's data, losses and evaluation: what came next in real histories."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codewm_lsp.world_model.embedding import (
    CONTEXT,
    EDIT_SIZE,
    LEARNED,
    PLACE,
    RELATIONS,
    SIGNED,
    UNSIGNED,
    lexical_sums,
    unit,
)
from codewm_lsp.world_model.features import LEXICAL
from codewm_model.data.batches import Dataset, tensor
from codewm_model.data.repository_corpus import MAX_STATE_WORDS, Ragged, padded
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.config import TrainingConfig
from codewm_model.training import objectives
from codewm_model.training.inference import all_states, embed_edits, state_gates
from codewm_model.training.parallel import spread
from codewm_model.training.training_run import Run

RECENT: Final = 6
_DISTRACTORS: Final = 48


class NextData:
    """Embeddings of all edits, the words of the definitions before them, and files with what changed in them."""

    def __init__(self, model: CodeWorldModel, data: Dataset, states: Tensor, device: torch.device) -> None:
        self.data, self.states = data, states
        self.vectors = np.zeros((len(data), EDIT_SIZE), np.float16)
        self.own = np.zeros((len(data), LEXICAL), np.float16)
        places = []
        own_of_places = []
        for number, corpus in enumerate(data.corpora):
            rows = np.arange(len(corpus)) + data.edit_start[number]
            self.vectors[rows] = embed_edits(model, data, rows, states, device)
            before = own_words(model, corpus.changed, (0, 2), device) + own_words(model, corpus.context, (2,), device)
            self.own[rows] = unit(before)
            if len(corpus.place):
                place = corpus.place.copy()
                place[:, 0] += data.commit_start[number]
                place[:, 3] += data.state_start[number]
                places.append(place)
                own_of_places.append(unit(own_words(model, corpus.place_words, (2,), device)).astype(np.float16))
        self.places = np.concatenate([*places, np.zeros((0, 6), np.int64)])
        self.own_of_places = np.concatenate([*own_of_places, np.zeros((0, LEXICAL), np.float16)])
        self.commits = [
            np.array(
                [
                    commit
                    for commit in range(int(data.commit_start[number]), int(data.commit_start[number + 1]))
                    if 2 <= len(rows := data.rows_of_commit(commit)) <= 20 and not data.held_out[rows].any()
                ],
                np.int64,
            )
            for number in range(len(data.corpora))
        ]
        sizes = np.array([len(c) for c in self.commits], np.float64)
        self.share = np.sqrt(sizes) / max(1e-9, np.sqrt(sizes).sum())
        edges = np.flatnonzero(np.diff(self.places[:, 0])) + 1
        groups = np.split(np.arange(len(self.places)), edges) if len(self.places) else []
        held = {int(c) for c in np.unique(data.commit[data.held_out])}
        self.files = [g for g in groups if self.places[g, 4].sum() >= 2 and int(self.places[g[0], 0]) not in held]
        self.held_files = [g for g in groups if self.places[g, 4].sum() >= 2 and int(self.places[g[0], 0]) in held]

    def recent(self, revealed: list[int], commit: int) -> list[int]:
        """Edit rows, newest first: those revealed, then the newest of the commits before."""
        rows = self.data.rows_of_commit(commit)
        repository = int(self.data.repository[rows[0]])
        end = int(self.data.edit_start[repository + 1])
        start = int(rows.max()) + 1
        return [*revealed, *range(start, min(end, start + RECENT))][:RECENT]


def own_words(
    model: CodeWorldModel, ragged: Ragged, columns: tuple[int, ...], device: torch.device
) -> NDArray[np.float32]:
    """Sum over the words of each row: state gate x damped count (largest of ``columns``) x direction."""
    count = len(ragged.offsets) - 1
    out = np.zeros((count, LEXICAL), np.float32)
    with torch.no_grad():
        for start in range(0, count, 512):
            rows = np.arange(start, min(start + 512, count))
            words = padded(ragged, rows, MAX_STATE_WORDS)
            gate = state_gates(model.edit, words, device).cpu().numpy()
            there = words.numbers[..., list(columns)].max(-1) * words.mask
            (out[rows],) = lexical_sums(words.hashes, gate * there)
    return out


def related(own: Tensor, recent: Tensor) -> Tensor:
    """``world_model.embedding.relations``, each with recent edits of its own: (B, LEXICAL), (B, R, E) → (B, R, 4)."""
    words = F.normalize(own, dim=-1)[:, None]
    place = F.normalize(own[:, :CONTEXT], dim=-1)[:, None]
    steps = torch.arange(recent.shape[1], device=own.device)
    out: Tensor = torch.stack(
        [
            (words * F.normalize(recent[..., SIGNED], dim=-1)).sum(-1),
            (words * F.normalize(recent[..., UNSIGNED], dim=-1)).sum(-1),
            (place * F.normalize(recent[..., PLACE], dim=-1)).sum(-1),
            torch.exp(-steps / 2).expand(len(own), -1),
        ],
        -1,
    )
    assert out.shape[-1] == RELATIONS
    return out


def predict(
    model: CodeWorldModel, state: Tensor, own: Tensor, recent: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted edits (B, EDIT_SIZE) of length 1, logits (B,), actions (B, 15); see ``compose_predicted``."""
    learned = F.normalize(recent[..., LEARNED], dim=-1)
    mixture, share, contextual, parts, logits, actions = spread(model.next, state, learned, related(own, recent), mask)

    def copied(part: slice) -> Tensor:
        mixed: Tensor = (mixture[..., None] * F.normalize(recent[..., part], dim=-1)).sum(1)
        return mixed

    words, place = F.normalize(own, dim=-1), F.normalize(own[:, :CONTEXT], dim=-1)
    joined = [
        copied(SIGNED),
        (1 - share[:, :1]) * copied(UNSIGNED) + share[:, :1] * words,
        (1 - share[:, 1:]) * copied(PLACE) + share[:, 1:] * place,
        contextual,
    ]
    predicted = torch.cat([F.normalize(p, dim=-1) * parts[:, i : i + 1] for i, p in enumerate(joined)], 1)
    return F.normalize(predicted, dim=-1), logits, actions


def _gather(next_data: NextData, lists: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    index = np.zeros((len(lists), RECENT), np.int64)
    mask = np.zeros((len(lists), RECENT), bool)
    for row, rows in enumerate(lists):
        index[row, : len(rows)] = rows
        mask[row, : len(rows)] = True
    recent = tensor(next_data.vectors[index].astype(np.float32), device)
    return recent * tensor(mask, device)[..., None], tensor(mask, device)


def next_loss(
    model: CodeWorldModel,
    next_data: NextData,
    random: np.random.Generator,
    training: TrainingConfig,
    device: torch.device,
) -> dict[str, Tensor]:
    """Losses of one step: the predicted edit against the true one, its action, and which definition comes next."""
    data = next_data.data
    count = min(3, int((next_data.share > 0).sum()))
    repositories = random.choice(len(next_data.commits), count, replace=False, p=next_data.share)
    targets: list[int] = []
    recents: list[list[int]] = []
    pool: list[int] = []
    for repository in repositories:
        for commit in random.choice(next_data.commits[repository], training.next_batch // count):
            rows = data.rows_of_commit(int(commit))
            order = random.permutation(rows)
            target = int(order[0])
            others = [int(r) for r in order[1:] if data.definition[r] != data.definition[target]]
            if not others:
                continue
            revealed = others[: 1 + int(random.random() < 0.3)]
            targets.append(target)
            recents.append(next_data.recent(revealed, int(commit)))
        start, end = int(data.edit_start[repository]), int(data.edit_start[repository + 1])
        pool.extend(random.integers(start, end, _DISTRACTORS).tolist())
    losses: dict[str, Tensor] = {}
    if targets:
        rows = np.array(targets)
        recent, mask = _gather(next_data, recents, device)
        own = tensor(next_data.own[rows].astype(np.float32), device)
        predicted, _, actions = predict(model, next_data.states[data.states[rows, 0]].to(device), own, recent, mask)
        candidates = np.concatenate([rows, np.array(pool, np.int64)])
        truth = tensor(next_data.vectors[candidates].astype(np.float32), device)
        similarity = predicted @ truth.T
        allowed = (data.repository[rows][:, None] == data.repository[candidates]) & (
            data.commit[rows][:, None] != data.commit[candidates]
        )
        positive = np.zeros_like(allowed)
        positive[np.arange(len(rows)), np.arange(len(rows))] = True
        losses["next_contrast"] = objectives.contrastive_loss(
            similarity, tensor(positive, device), tensor(allowed | positive, device), training.temperature
        )
        losses["next_cosine"] = (1 - similarity[torch.arange(len(rows)), torch.arange(len(rows))]).mean()
        losses["next_action"] = 0.5 * F.smooth_l1_loss(actions, tensor(data.action[rows], device))
    if next_data.files:
        picked = random.choice(len(next_data.files), min(16, len(next_data.files)), replace=False)
        losses["next_where"] = _where_loss(model, next_data, [next_data.files[int(i)] for i in picked], random, device)[
            0
        ]
    return losses


def _where_loss(
    model: CodeWorldModel,
    next_data: NextData,
    files: list[NDArray[np.int64]],
    random: np.random.Generator,
    device: torch.device,
) -> tuple[Tensor, list[float]]:
    """Listwise loss over the definitions of files, one changed definition revealed; and the reciprocal ranks."""
    data = next_data.data
    rows: list[NDArray[np.int64]] = []
    recents: list[list[int]] = []
    for group in files:
        place = next_data.places[group]
        commit = int(place[0, 0])
        changed = {int(p ^ (d << 1)) for p, d, touched in place[:, [1, 2, 4]].tolist() if touched}
        possible = [int(r) for r in data.rows_of_commit(commit) if int(data.definition[r]) in changed]
        if not possible:
            continue
        revealed = possible[int(random.integers(len(possible)))]
        keep = (place[:, 1] ^ (place[:, 2] << 1)) != data.definition[revealed]
        if not place[keep, 4].any() or place[keep, 4].all():
            continue
        rows.append(group[keep])
        recents.append(next_data.recent([revealed], commit))
    if not rows:
        return torch.zeros((), device=device), []
    flat = np.concatenate(rows)
    recent, mask = _gather(next_data, [r for r, group in zip(recents, rows, strict=True) for _ in group], device)
    _, logits, _ = predict(
        model,
        next_data.states[next_data.places[flat, 3]].to(device),
        tensor(next_data.own_of_places[flat].astype(np.float32), device),
        recent,
        mask,
    )
    losses, reciprocal = [], []
    start = 0
    for group in rows:
        scores = logits[start : start + len(group)]
        start += len(group)
        relevant = tensor(next_data.places[group, 4] > 0, device)
        losses.append(torch.logsumexp(scores, 0) - torch.logsumexp(scores[relevant], 0))
        if len(group) >= 8:
            best = scores[relevant].max()
            reciprocal.append(1.0 / (1 + float((scores[~relevant] > best).sum())))
    return torch.stack(losses).mean(), reciprocal


@torch.no_grad()
def next_evaluation(
    model: CodeWorldModel, next_data: NextData, device: torch.device, *, held_out: bool
) -> dict[str, float]:
    """E6 (cosine and rank of the true edit among 1,000 older ones, beside its nulls) and E5 (a) by the logit alone."""
    data = next_data.data
    random = np.random.default_rng(11)
    sums: dict[str, float] = {}
    count = 0
    for repository in range(len(data.corpora)):
        low, high = int(data.commit_start[repository]), int(data.commit_start[repository + 1])
        commits = [
            c
            for c in range(low, low + max(1, (high - low) // 5))
            if 2 <= len(data.rows_of_commit(c)) <= 20 and (not held_out or data.held_out[data.rows_of_commit(c)].all())
        ][:150]
        end = int(data.edit_start[repository + 1])
        for commit in commits:
            order = random.permutation(data.rows_of_commit(commit))
            revealed = int(order[0])
            targets = [int(r) for r in order[1:] if data.definition[r] != data.definition[revealed]][:3]
            oldest = int(data.rows_of_commit(commit).max()) + 1
            if not targets or end - oldest < 200:
                continue
            rows = np.array(targets)
            recent, mask = _gather(next_data, [next_data.recent([revealed], commit)] * len(rows), device)
            own = tensor(next_data.own[rows].astype(np.float32), device)
            predicted, _, _ = predict(model, next_data.states[data.states[rows, 0]].to(device), own, recent, mask)
            others = random.choice(np.arange(oldest, end), min(1_000, end - oldest), replace=False)
            truth = next_data.vectors[rows].astype(np.float32)
            rivals = next_data.vectors[others].astype(np.float32)
            copied = np.repeat(next_data.vectors[[revealed]].astype(np.float32), len(rows), 0)
            for name, guess in (("predicted", predicted.cpu().numpy()), ("copy", copied)):
                own_score = (guess * truth).sum(1)
                ranks = ((guess @ rivals.T) > own_score[:, None]).sum(1)
                _count(sums, f"e6/{name}/cosine", float(own_score.sum()))
                _count(sums, f"e6/{name}/mrr", float((1 / (ranks + 1)).sum()))
            count += len(rows)
    files = next_data.held_files if held_out else next_data.files
    reciprocal: list[float] = []
    for start in range(0, len(files), 16):
        reciprocal += _where_loss(model, next_data, files[start : start + 16], np.random.default_rng(start), device)[1]
    result = {name: value / max(1, count) for name, value in sums.items()}
    result["e6/queries"] = float(count)
    if reciprocal:
        result["e5a/logit/mrr"] = float(np.mean(reciprocal))
        result["e5a/queries"] = float(len(reciprocal))
    return result


def _count(sums: dict[str, float], name: str, value: float) -> None:
    sums[name] = sums.get(name, 0.0) + value


class NextStage:
    """The next-edit predictor, over the order of real histories."""

    def __init__(self, run: Run) -> None:
        self.run = run
        if run.states is None:
            run.states = all_states(run.model.state, run.data, run.device)
        self.next = NextData(run.model, run.data, run.states, run.device)
        self.validation: NextData | None = None

    def losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        return next_loss(self.run.model, self.next, random, self.run.config.training, self.run.device)

    def after_step(self) -> None:
        pass

    def evaluate(self) -> dict[str, float]:
        run = self.run
        data = run.validation_data
        if data is None:
            return {}
        if data is run.data:
            return next_evaluation(run.model, self.next, run.device, held_out=True)
        if self.validation is None:
            if run.validation_states is None:
                run.validation_states = all_states(run.model.state, data, run.device)
            self.validation = NextData(run.model, data, run.validation_states, run.device)
        return next_evaluation(run.model, self.validation, run.device, held_out=False)
