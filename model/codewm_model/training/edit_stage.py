"""The second stage: the edit encoder over siblings, on states that are frozen by then."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codewm_model.data.batches import SiblingSampler, tensor
from codewm_model.data.repository_corpus import PaddedWords
from codewm_model.evaluation.siblings import by_vectors, newest, sibling_retrieval
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.training import objectives
from codewm_model.training.inference import all_states, batch_words, embed_edits, encode_edits, presence, state_gates
from codewm_model.training.training_run import Run


class EditStage:
    """The edit encoder: siblings are near each other, other edits of the same weeks are not."""

    def __init__(self, run: Run) -> None:
        self.run = run
        training = run.config.training
        self.sampler = SiblingSampler(run.data, training.edit_batch, 3, training.commits_window)
        if run.states is None:
            run.states = all_states(run.model.state, run.data, run.device)
        self.states = run.states

    def losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        run, training = self.run, self.run.config.training
        rows = np.unique(self.sampler.sample(random))
        changed, context = batch_words(run.data, rows)
        for words in (changed, context):
            words.mask &= random.random(words.mask.shape) >= training.word_dropout
            words.net *= words.mask
            # a common word is now and then taken for a rare one: the network may not lean on identities
            forget = random.random(words.mask.shape) < 0.1
            words.identity[forget] = 0
        before = self.states[run.data.states[rows, 0]].to(run.device)
        after = self.states[run.data.states[rows, 1]].to(run.device)
        similarity = edit_similarity(run.model, changed, context, before, after, run.data.action[rows], run.device)
        commit, same, repository = run.data.commit[rows], run.data.definition[rows], run.data.repository[rows]
        allowed = (repository[:, None] == repository) & (same[:, None] != same)
        positive = allowed & (commit[:, None] == commit)
        loss = objectives.contrastive_loss(
            similarity, tensor(positive, run.device), tensor(allowed, run.device), training.temperature
        )
        elsewhere = positive & (run.data.path[rows][:, None] != run.data.path[rows])
        far = objectives.contrastive_loss(
            similarity,
            tensor(elsewhere, run.device),
            tensor(allowed & ~(positive & ~elsewhere), run.device),
            training.temperature,
        )
        return {"siblings": loss, "siblings_elsewhere": 0.5 * far}

    def after_step(self) -> None:
        pass

    def evaluate(self) -> dict[str, float]:
        return retrieval_evaluation(self.run)


def edit_similarity(
    model: CodeWorldModel,
    changed: PaddedWords,
    context: PaddedWords,
    before: Tensor,
    after: Tensor,
    action: NDArray[np.float32],
    device: torch.device,
) -> Tensor:
    """Cosines (B, B) of the embeddings of a batch, with the exact overlap of words for their hashed directions."""
    signed_gate, unsigned_gate, contextual, weights = encode_edits(model.edit, changed, before, after, action, device)
    place_gate = state_gates(model.edit, changed, device)
    around_gate = state_gates(model.edit, context, device)
    values, changed_index = np.unique(changed.hashes, return_inverse=True)
    both, every_index = np.unique(np.concatenate([changed.hashes, context.hashes], 1), return_inverse=True)
    every_index = every_index.reshape(len(changed.hashes), -1)
    changed_index = changed_index.reshape(changed.hashes.shape)

    def bag(index: NDArray[np.int64], coefficient: Tensor, size: int) -> Tensor:
        rows = torch.zeros(len(index), size, device=device)
        return F.normalize(rows.scatter_add(1, tensor(index, device), coefficient), dim=1, eps=1e-6)

    net, mask = tensor(changed.net, device), tensor(changed.mask, device)
    there = torch.cat(
        [place_gate * tensor(presence(changed), device), around_gate * tensor(presence(context), device)], 1
    )
    parts = [
        bag(changed_index, signed_gate * net, len(values)),
        bag(changed_index, unsigned_gate * mask, len(values)),
        bag(every_index, there, len(both)),
        F.normalize(contextual, dim=1, eps=1e-6),
    ]
    present = torch.stack([(part.abs().sum(1) > 0).float() for part in parts], 1)
    weights = F.normalize(weights * present, dim=1, eps=1e-6)
    similarity = torch.zeros(len(before), len(before), device=device)
    for number, part in enumerate(parts):
        weighted = part * weights[:, number : number + 1]
        similarity = similarity + weighted @ weighted.T
    return similarity


def retrieval_evaluation(run: Run) -> dict[str, float]:
    """E4 on the validation repositories, or on the held-out newest part of the training ones."""
    result: dict[str, float] = {}
    data = run.validation_data
    if data is None:
        return result
    if data is run.data:
        assert run.states is not None
        states = run.states
    else:
        if run.validation_states is None:
            run.validation_states = all_states(run.model.state, data, run.device)
        states = run.validation_states
    for gallery, per_commit in ((300, 32), (3_000, None)):
        found, elsewhere = [], []
        for number, corpus in enumerate(data.corpora):
            rows = newest(corpus, gallery, per_commit=per_commit)
            if data is run.data:
                rows = rows[data.held_out[rows + data.edit_start[number]]]
            vectors = embed_edits(run.model, data, rows + data.edit_start[number], states, run.device)
            siblings = sibling_retrieval(corpus, rows, by_vectors(vectors), seed=0, queries=600)
            found.append(siblings.mrr)
            elsewhere.append(siblings.other_file_mrr)
        result[f"e4/{gallery}/mrr"] = float(np.mean(found))
        result[f"e4/{gallery}/other_file_mrr"] = (
            float(np.nanmean(elsewhere)) if not np.all(np.isnan(elsewhere)) else 0.0
        )
    return result
