"""Data-parallel training under ``torchrun``: the same losses and the same steps as in one process.

The contrastive, variance and covariance terms are functions of the whole batch, so averaging the losses of shares of a
batch would train something else. Here every process draws the whole batch, from the same seed, but *encodes* only its
share of it, which is where the time goes; ``spread`` then gathers the encodings of all, and every process works out the
loss of the whole batch. So each one's loss is the single process's.

Gradients: let P be the number of processes. What is computed by all alike has its whole gradient in every process, and
the mean over processes, which ``average_gradients`` takes as DistributedDataParallel does, leaves it as it is. What was
encoded in shares has in each process only the part of its own rows, and the mean would be a P-th of the sum; so the
backward pass of ``spread`` multiplies by P. The mean is then exact for both, up to the rounding of sums in another
order.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from codewm_lsp.errors import OptionError


def processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this one; 0 writes files and reports."""
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def group(device: torch.device) -> Iterator[None]:
    """Train together with the processes that ``torchrun`` has started, if it has: gloo on CPUs, NCCL on GPUs.

    Raises OptionError when they cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise OptionError(
            f"the other processes of torchrun cannot be reached at {where} from {socket.gethostname()} "
            f"({error}): start all of them"
        ) from error
    try:
        yield
    finally:
        dist.destroy_process_group()


class _Gather(torch.autograd.Function):
    """Rows of all processes, one after another; gradients go back to the process whose rows they are, times P."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        full = [rows.new_zeros(max(sizes), *rows.shape[1:]) for _ in sizes]
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        dist.all_gather(full, padded)
        return torch.cat([part[:size] for part, size in zip(full, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        start = sum(ctx.sizes[: rank()])
        return gradients[0][start : start + ctx.sizes[rank()]] * len(ctx.sizes), None


def spread(encode: Callable[..., Any], *inputs: Tensor | tuple[Tensor, ...]) -> Any:
    """``encode(*inputs)``, each process taking its share of the rows; every one gets all of the result.

    ``encode`` must treat every row for itself. It gives a tensor or a tuple of tensors, a row of each for every row of
    the inputs. No gradient may flow into the inputs: it would be multiplied once for every such step.
    """
    first = inputs[0][0] if isinstance(inputs[0], tuple) else inputs[0]
    if processes() == 1 or len(first) < processes():
        return encode(*inputs)
    sizes = [len(part) for part in np.array_split(np.arange(len(first)), processes())]
    start = sum(sizes[: rank()])
    end = start + sizes[rank()]
    assert not any(t.requires_grad for i in inputs for t in (i if isinstance(i, tuple) else (i,)))
    own = [tuple(t[start:end] for t in i) if isinstance(i, tuple) else i[start:end] for i in inputs]
    result = encode(*own)
    if isinstance(result, Tensor):
        return _Gather.apply(result.float(), sizes)  # type: ignore[no-untyped-call]
    return tuple(_Gather.apply(part.float(), sizes) for part in result)  # type: ignore[no-untyped-call]


def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """The mean over all processes, in one message; a weight without a gradient anywhere stays without."""
    if processes() == 1:
        return
    some = list(weights)
    there = torch.tensor([weight.grad is not None for weight in some], dtype=torch.float32, device=some[0].device)
    flat = torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).reshape(-1).float() for w in some] + [there])
    dist.all_reduce(flat)
    start = 0
    for weight, anywhere in zip(some, flat[-len(some) :].tolist(), strict=True):
        if anywhere:
            weight.grad = (flat[start : start + weight.numel()] / processes()).reshape(weight.shape).to(weight.dtype)
        start += weight.numel()


def share_weights(module: nn.Module) -> None:
    """All processes begin with those of the first."""
    if processes() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)


def any_of_all(here: bool) -> bool:
    """Whether it is so in one process at least."""
    if processes() == 1:
        return here
    flag = torch.tensor([float(here)], device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag.item())


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if processes() > 1:
        dist.barrier()


def file_of_first(file: Path, copy: Path) -> None:
    """Write what the first process has in ``file`` to ``copy`` in all others; nothing when it has no such file."""
    if processes() == 1:
        return
    box: list[bytes | None] = [file.read_bytes() if rank() == 0 and file.exists() else None]
    dist.broadcast_object_list(box, 0)
    if rank() and box[0] is not None:
        copy.write_bytes(box[0])
