"""The paper's own released weights, measured beside this project's in the same run.

The authors publish them as ``.safetensors`` with a ``.config.json`` beside each (``frozen_target_s42`` of the paper,
``vicreg_promotion`` of its follow-up). What is below computes what they compute: the vocabulary, the walk and the label
of the published tools, the state encoder of the paper's section on the model. One thing cannot be repeated: identifiers
were hashed by Python's ``hash``, another one in every process, so which row of the embedding a name had in training
nobody knows; here, as in the authors' later tools, it is FNV-1a.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from codewm_lsp.errors import OptionError
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import Clone, Progress, Reference

LENGTH: Final = 512
"""Tokens of a state; what comes later in the file is not seen."""

_NODES: Final = (
    "Add And AnnAssign Assert Assign AsyncFor AsyncFunctionDef AsyncWith Attribute AugAssign AugLoad AugStore Await "
    "BinOp BitAnd BitOr BitXor BoolOp Break Bytes Call ClassDef Compare Constant Continue Del Delete Dict DictComp "
    "Div Ellipsis Eq ExceptHandler Expr Expression ExtSlice FloorDiv For FormattedValue FunctionDef FunctionType "
    "GeneratorExp Global Gt GtE If IfExp Import ImportFrom In Index Interactive Invert Is IsNot JoinedStr LShift "
    "Lambda List ListComp Load Lt LtE MatMult Mod Module Mult Name NameConstant NamedExpr Nonlocal Not NotEq NotIn "
    "Num Or Param Pass Pow RShift Raise Return Set SetComp Slice Starred Store Str Sub Subscript Suite Try Tuple "
    "TypeIgnore UAdd USub UnaryOp While With Yield YieldFrom slice"
)  # the node types of Python 3.9, by name: there the weights were trained
_OPERATORS: Final = (
    "Add Sub Mult Div FloorDiv Mod Pow LShift RShift BitOr BitXor BitAnd MatMult Invert Not UAdd USub And Or Eq NotEq "
    "Lt LtE Gt GtE Is IsNot In NotIn"
)
_NODE: Final = {name: number for number, name in enumerate(_NODES.split())}
_NAMES, _BUCKETS = 100, 512  # where the hash buckets of identifiers begin, and how many there are
_PAD, _BEGIN, _END, _UNKNOWN, _BROKEN = range(612, 617)
_DEPTH, _DEEPEST = 617, 15
_OPERATOR: Final = {name: 633 + number for number, name in enumerate(_OPERATORS.split())}
_AT_ONCE: Final = 32
_EMPTY_BLOCKS: Final = 20  # of one definition that are given a body
_SAME: Final = 1e-6  # of a state's numbers: closer, and two versions are the same but for rounding
_VERSION: Final = 1  # of the states in the cache
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_UNPARSED: Final = (SyntaxError, ValueError, RecursionError, MemoryError)


def parsed(source: str) -> ast.Module | None:
    """The tree of a file as Python itself parses it; None where it does not."""
    try:
        return _tree(source)
    except _UNPARSED:
        return None


def _tree(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source.replace("\0", ""))


def mended(source: str) -> str:
    """A definition cut out of its file as a file that parses; one that does not even then stays as it is.

    The first line of a decorated method has lost its indentation, and a block of nothing but definitions its lines.
    """
    if parsed(source) is not None:
        return source
    first, *rest = source.lstrip().split("\n")
    inner = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    lines = [first, *(line[inner:] for line in rest)] if first.startswith("@") else [first, *rest]
    for _ in range(_EMPTY_BLOCKS):
        try:
            _tree("\n".join(lines))
        except IndentationError as error:
            header = re.match(r"expected an indented block.* on line (\d+)", error.msg)
            if header is None:
                return source
            own = lines[int(header[1]) - 1]
            lines.insert((error.lineno or len(lines)) - 1, own[: len(own) - len(own.lstrip())] + "    pass")
        except _UNPARSED:
            return source
        else:
            return "\n".join(lines)
    return source


def label(before: str, after: str) -> int:
    """Edit type × scope of a pair of files, 0 to 8, as the paper has it.

    The type is *add* or *delete* where there is no file before or after, else *modify*: 0, 3, 6. The scope is a
    function (0) where the names of functions or the sizes of their bodies differ, a class (1) where the names of
    classes do, else, or where a side does not parse, the module (2).
    """
    kind = 0 if not before.strip() else 1 if not after.strip() else 2
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return 3 * kind + 2
    (functions, classes), (functions_now, classes_now) = _defined(old), _defined(new)
    if functions.keys() != functions_now.keys():
        scope = 0
    elif classes != classes_now:
        scope = 1
    else:
        scope = 0 if functions != functions_now else 2
    return 3 * kind + scope


def _defined(tree: ast.AST) -> tuple[dict[str, int], set[str]]:
    """Functions with the nodes in each, and classes."""
    functions: dict[str, int] = {}
    classes: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            functions[node.name] = sum(1 for _ in ast.walk(node))
        elif isinstance(node, ast.ClassDef):
            classes.add(node.name)
    return functions, classes


def tokens(source: str) -> list[int]:
    """A file as the paper's tokens: ``LENGTH`` of them."""
    found = [_BEGIN]
    tree = parsed(source) if source.strip() else None
    if tree is not None:
        for node in _walked(tree):
            found += node
            if len(found) >= LENGTH - 1:
                break
    elif source.strip():
        found.append(_BROKEN)
    found.append(_END)
    return [*found[:LENGTH], *[_PAD] * (LENGTH - len(found))]


def _walked(tree: ast.Module) -> Iterator[list[int]]:
    """The tokens of the nodes of a tree, level by level."""
    depths: dict[int, int] = {}
    stack: list[tuple[ast.AST, int]] = [(tree, 0)]
    while stack:  # in the order of the file: of a node that stands in the tree more than once, the last place counts
        node, depth = stack.pop()
        depths[id(node)] = depth
        stack.extend((child, depth + 1) for child in reversed(list(ast.iter_child_nodes(node))))
    for node in ast.walk(tree):
        own = [_NODE.get(type(node).__name__, _UNKNOWN), _DEPTH + min(depths[id(node)], _DEEPEST)]
        name = _name(node)
        if name:
            own.append(_bucket(name))
        if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare):
            operator = node.ops[0] if isinstance(node, ast.Compare) else node.op
            own.append(_OPERATOR.get(type(operator).__name__, _UNKNOWN))
        yield own


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return node.name
    if isinstance(node, ast.ImportFrom):
        return node.module
    return f"__const_{type(node.value).__name__}__" if isinstance(node, ast.Constant) else None


def _bucket(name: str) -> int:
    value = 0x811C9DC5
    for byte in name.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return _NAMES + value % _BUCKETS


class _Block(nn.Module):
    def __init__(self, size: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attn = nn.MultiheadAttention(size, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, size))

    def forward(self, states: Tensor) -> Tensor:
        normed = self.norm1(states)
        states = states + self.attn(normed, normed, normed, need_weights=False)[0]
        mixed: Tensor = states + self.mlp(self.norm2(states))
        return mixed


class ReleasedPredictor(nn.Module):
    """The released transition predictor: state and action through two looped blocks (paper, the model)."""

    def __init__(self, size: int, heads: int, hidden: int, loops: int, depth: int, numbers: int) -> None:
        super().__init__()
        self.loops, self.numbers = loops, numbers
        self.action = nn.Sequential(nn.Linear(numbers, size), nn.GELU(), nn.Linear(size, size))
        self.blocks = nn.ModuleList(_Block(size, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(size)

    @torch.no_grad()
    def advance(self, states: NDArray[np.float32], actions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Online states (N, size) and rich actions (N, 15), of which it takes the first → the predicted next states."""
        action = self.action(torch.from_numpy(np.ascontiguousarray(actions[:, : self.numbers])))
        hidden = torch.stack([torch.from_numpy(np.ascontiguousarray(states)), action], 1)
        for block in self.blocks:
            for _ in range(self.loops):
                hidden = block(hidden)
        out: NDArray[np.float32] = self.norm(hidden[:, 0]).numpy()
        return out


class _Readout(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, 1, size))
        self.attn = nn.MultiheadAttention(size, 1, batch_first=True)

    def forward(self, states: Tensor) -> Tensor:
        read: Tensor = self.attn(self.query.expand(len(states), -1, -1), states, states, need_weights=False)[0]
        return read[:, 0]


class _Positions(nn.Module):
    pe: Tensor

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        self.register_buffer("pe", torch.zeros(1, length, size))


class ReleasedEncoder(nn.Module):
    """The released state encoder: one block, looped, and a readout by one learnt query (paper, the model)."""

    def __init__(self, vocabulary: int, size: int, heads: int, hidden: int, loops: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.pos_enc = _Positions(LENGTH + 1, size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
        self.block = _Block(size, heads, hidden)
        self.attn_pool = _Readout(size)
        self.norm = nn.LayerNorm(size)
        self.loops = loops

    def forward(self, files: Tensor) -> Tensor:
        """Tokens (B, ``LENGTH``) → states (B, size). Padding is attended to, as in its training."""
        hidden = torch.cat([self.cls_token.expand(len(files), -1, -1), self.embedding(files)], 1)
        hidden = hidden + self.pos_enc.pe
        for _ in range(self.loops):
            hidden = self.block(hidden)
        out: Tensor = self.norm(self.attn_pool(hidden))
        return out

    @torch.no_grad()
    def encode(self, sources: Sequence[str]) -> NDArray[np.float32]:
        """The states (N, size) of whole files."""
        found = [np.zeros((0, self.embedding.embedding_dim), np.float32)]
        for start in range(0, len(sources), _AT_ONCE):
            found.append(self(torch.tensor([tokens(source) for source in sources[start : start + _AT_ONCE]])).numpy())
        return np.concatenate(found)


def load(files: Sequence[Path]) -> tuple[Reference, ...]:
    """The weights of ``--reference``. Raises OptionError for a file that is missing, damaged or something else."""
    found: list[Reference] = []
    for file in files:
        config = file.with_suffix(".config.json")
        try:
            settings = json.loads(config.read_text("utf-8"))
            weights = load_file(file)
            encoder = _encoder(settings, weights)
            beside = file.with_name(f"{file.stem}_target.safetensors")
            target = _encoder(settings, load_file(beside)) if beside.exists() else None
            predictor = _predictor(settings, weights) if "action_dim" in settings else None
        except OSError as error:
            raise OptionError(
                f"--reference {file}: {error.filename or file} cannot be read ({error.strerror or error}); name a "
                ".safetensors file of the paper's release, with its .config.json beside it"
            ) from error
        except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise OptionError(
                f"--reference {file} is not a state encoder of the paper's release: {str(error).splitlines()[0]}"
            ) from error
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        found.append(
            Reference(
                file.stem,
                digest,
                settings["model_dim"],
                encoder.encode,
                predictor.advance if predictor else None,
                target.encode if target else None,
            )
        )
    return tuple(found)


def _encoder(settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ReleasedEncoder:
    encoder = ReleasedEncoder(
        settings["vocab_size"],
        settings["model_dim"],
        settings["num_heads"],
        settings["mlp_hidden"],
        settings["encoder_loops"],
    )
    own = {name.removeprefix("state_encoder."): value for name, value in weights.items()}
    encoder.load_state_dict({name: own[name] for name in encoder.state_dict()})
    return encoder.eval()


def _predictor(settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ReleasedPredictor:
    predictor = ReleasedPredictor(
        settings["model_dim"],
        settings["num_heads"],
        settings["mlp_hidden"],
        settings["predictor_loops"],
        settings["predictor_depth"],
        settings["action_dim"],
    )
    renamed = {"action": "action_encoder.net", "blocks": "predictor.blocks", "norm": "predictor.norm"}
    own = {
        name: weights[renamed[name.split(".")[0]] + name.removeprefix(name.split(".")[0])]
        for name in predictor.state_dict()
    }
    predictor.load_state_dict(own)
    return predictor.eval()


def deltas(
    reference: Reference,
    clone: Clone,
    pairs: Sequence[tuple[str, str]],
    cache: Cache,
    progress: Progress = lambda what, done, of: None,
) -> NDArray[np.float32]:
    """State after − state before of some edits: (N, size), rows of length 1, or 0 where nothing in sight changed.

    Each version is encoded once; the cache keeps it.
    """
    texts = [text for pair in pairs for text in pair]
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8] for text in texts]
    names = np.array([int.from_bytes(key, "little") for key in keys], np.uint64)
    file = cache.file("reference", clone.name, (reference.hash, _VERSION), ".npz")
    none: dict[str, NDArray[Any]] = {
        "names": np.zeros(0, np.uint64),
        "states": np.zeros((0, reference.size), np.float32),
    }
    kept = cache.read_arrays(file) or none
    known = set(kept["names"].tolist())
    missing = list({name: row for row, name in enumerate(names.tolist()) if name not in known}.values())
    made = [kept["states"]]
    for start in range(0, len(missing), _AT_ONCE):
        made.append(reference.encode([texts[row] for row in missing[start : start + _AT_ONCE]]))
        progress(f"{clone.name}: {reference.system}", min(start + _AT_ONCE, len(missing)), len(missing))
    if missing:
        kept = {"names": np.concatenate([kept["names"], names[missing]]), "states": np.concatenate(made)}
        cache.write_arrays(file, **kept)
    where = {name: row for row, name in enumerate(kept["names"].tolist())}
    found = kept["states"][[where[name] for name in names.tolist()]].reshape(len(pairs), 2, reference.size)
    change = found[:, 1] - found[:, 0]
    length = np.linalg.norm(change, axis=1, keepdims=True)
    seen = length[:, 0] > _SAME * np.sqrt(reference.size)
    out: NDArray[np.float32] = np.where(seen[:, None], change / np.maximum(length, 1e-12), 0).astype(np.float32)
    return out
