"""Running the networks over a data set: states, and embeddings of edits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codewm_lsp.world_model.embedding import compose, lexical_sums
from codewm_lsp.world_model.features import MAX_CHANGED, MAX_CONTEXT, of_similar_length
from codewm_model.data.batches import Dataset, tensor
from codewm_model.data.repository_corpus import PaddedWords, padded
from codewm_model.networks.code_world_model import CodeWorldModel, EditEncoder, StateEncoder
from codewm_model.networks.packed import PackedTexts
from codewm_model.training.parallel import processes, spread

TOKENS_AT_ONCE: Final = 1_500  # padded, on a CPU: what stays in its cache is half as fast again as four times as much
TOKENS_ON_A_GPU: Final = 60_000


def encode_states(
    encoder: StateEncoder,
    data: Dataset,
    states: NDArray[np.int64],
    device: torch.device,
    how: Callable[[PackedTexts], Tensor] | None = None,
) -> Tensor:
    """States (N,) → (N, state_size), in batches of similar length; differentiable unless called under no_grad.

    ``how`` the encoder does it, where not as usual; it may give more than one row of numbers for each.
    """
    most = (TOKENS_AT_ONCE if device.type == "cpu" else TOKENS_ON_A_GPU) * processes()
    order: list[int] = []
    pieces = []

    def encode(numbers: Tensor) -> Tensor:
        return (how or encoder.packed)(PackedTexts.of(*data.structures(numbers.numpy()), device))

    for rows in of_similar_length(data.lengths(states).tolist(), most):
        pieces.append(spread(encode, torch.from_numpy(states[rows])).float())
        order += rows
    inverse = np.empty(len(order), np.int64)
    inverse[order] = np.arange(len(order))
    return torch.cat(pieces)[tensor(inverse, device)]


@torch.no_grad()
def all_states(
    encoder: StateEncoder, data: Dataset, device: torch.device, progress: Callable[[int, int], None] | None = None
) -> Tensor:
    """Every state of a data set: (states, state_size), on the CPU."""
    out = torch.zeros(data.states_count, encoder.width)
    step = 8_192
    for start in range(0, data.states_count, step):
        rows = np.arange(start, min(start + step, data.states_count))
        out[start : start + len(rows)] = encode_states(encoder, data, rows, device).cpu()
        if progress:
            progress(min(start + step, data.states_count), data.states_count)
    return out


def batch_words(data: Dataset, rows: NDArray[np.int64]) -> tuple[PaddedWords, PaddedWords]:
    """Changed and context words of some edits, padded over repositories."""
    changed: list[tuple[NDArray[np.int64], PaddedWords]] = []
    context: list[tuple[NDArray[np.int64], PaddedWords]] = []
    for repository, positions, local in data.locate(rows):
        corpus = data.corpora[repository]
        changed.append((positions, padded(corpus.changed, local, MAX_CHANGED)))
        context.append((positions, padded(corpus.context, local, MAX_CONTEXT)))
    return _merge(changed, len(rows)), _merge(context, len(rows))


def _merge(parts: list[tuple[NDArray[np.int64], PaddedWords]], count: int) -> PaddedWords:
    if len(parts) == 1:
        return parts[0][1]
    width = max(words.mask.shape[1] for _, words in parts)
    merged = {}
    for name in ("hashes", "identity", "level", "role", "numbers", "net", "mask"):
        first = getattr(parts[0][1], name)
        full = np.zeros((count, width, *first.shape[2:]), first.dtype)
        for positions, words in parts:
            values = getattr(words, name)
            full[positions, : values.shape[1]] = values
        merged[name] = full
    return PaddedWords(**merged)


def changed_tensors(words: PaddedWords, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The arrays the edit encoder takes."""
    return (
        tensor(words.identity, device),
        tensor(words.level, device),
        tensor(words.role, device),
        tensor(words.numbers, device),
        tensor(words.mask, device),
    )


def state_gates(encoder: EditEncoder, words: PaddedWords, device: torch.device) -> Tensor:
    """The context gate of every word (B, T), 0 where padded."""
    identity, level, role, numbers, mask = changed_tensors(words, device)
    gate: Tensor = encoder.state_gate(identity, level, role, numbers) * mask
    return gate


def presence(words: PaddedWords) -> NDArray[np.float32]:
    """How often a word stands in the definition, damped: (B, T)."""
    counts: NDArray[np.float32] = words.numbers[..., :3].max(-1) * words.mask
    return counts


def encode_edits(
    encoder: EditEncoder,
    changed: PaddedWords,
    before: Tensor,
    after: Tensor,
    action: NDArray[np.float32],
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What ``EditEncoder`` gives for a batch, run in two buckets: the many short edits apart from the few long ones."""
    counts = np.where(changed.mask, np.arange(1, changed.mask.shape[1] + 1), 0).max(1)
    width = changed.mask.shape[1]
    limit = int(np.quantile(counts, 0.8)) if len(counts) > 16 else width
    order, pieces = [], []
    for rows, cut in ((np.flatnonzero(counts <= limit), limit), (np.flatnonzero(counts > limit), width)):
        if not len(rows):
            continue
        cut = max(1, cut)
        index = tensor(rows, device)
        words = tuple(values[index][:, :cut] for values in changed_tensors(changed, device))
        signed, unsigned, contextual, weights = spread(
            encoder, words, before[index], after[index], tensor(action[rows], device)
        )
        pad = (0, width - cut)
        pieces.append((F.pad(signed, pad), F.pad(unsigned, pad), contextual, weights))
        order.append(rows)
    inverse = tensor(np.argsort(np.concatenate(order)), device)
    signed, unsigned, contextual, weights = (torch.cat(parts)[inverse] for parts in zip(*pieces, strict=True))
    return signed, unsigned, contextual, weights


@torch.no_grad()
def embed_edits(
    model: CodeWorldModel, data: Dataset, rows: NDArray[np.int64], states: Tensor, device: torch.device
) -> NDArray[np.float32]:
    """Embeddings (N, EDIT_SIZE) of some edits, given all states of the data set."""
    out = []
    for start in range(0, len(rows), 256):
        part = rows[start : start + 256]
        changed, context = batch_words(data, part)
        before, after = states[data.states[part, 0]].to(device), states[data.states[part, 1]].to(device)
        signed_gate, unsigned_gate, contextual, weights = encode_edits(
            model.edit, changed, before, after, data.action[part], device
        )
        place_gate = state_gates(model.edit, changed, device)
        around_gate = state_gates(model.edit, context, device)
        signed, unsigned, place = lexical_sums(
            changed.hashes,
            signed_gate.cpu().numpy() * changed.net,
            unsigned_gate.cpu().numpy() * changed.mask,
            place_gate.cpu().numpy() * presence(changed),
        )
        (around,) = lexical_sums(context.hashes, around_gate.cpu().numpy() * presence(context))
        out.append(compose(signed, unsigned, place + around, contextual.cpu().numpy(), weights.cpu().numpy()))
    return np.concatenate(out)
