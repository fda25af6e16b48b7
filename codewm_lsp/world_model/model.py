"""The world model as the editor runs it: ONNX Runtime on one thread, texts in, vectors out."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp import runtime
from codewm_lsp.errors import BundleError
from codewm_lsp.records import dataclass
from codewm_lsp.world_model.actions import RICH_ACTION_SIZE, beside_actions
from codewm_lsp.world_model.bundle import GRAPHS, Bundle, read_bundle, shipped
from codewm_lsp.world_model.embedding import (
    EDIT_SIZE,
    LEARNED,
    STATE_SIZE,
    STRUCTURE,
    Matrix,
    compose,
    compose_predicted,
    relations,
    unit,
)
from codewm_lsp.world_model.features import (
    LEXICAL,
    NO_WORDS,
    EditFeatures,
    Words,
    directions,
    edit_features,
    own_words,
    structure_tokens,
    word_hash,
)
from codewm_lsp.world_model.gates import PlaceGates

RECENT: Final = 6

STATE_WORDS: Final = 160
_EDITS_AT_ONCE: Final = 8  # of similar length: what is computed of them stays in the processor's cache
_CACHE: Final = 20_000  # states kept, 512 bytes each
_OWN_CACHE: Final = 4_000  # sums of a definition's own words kept, 1 KB each: those asked about again at every pause
_SIDES: Final = ("identity", "level", "role", "numbers")
_INPUTS: Final = {
    "state": ("ids", "depths"),
    "edit": (
        *(f"changed_{side}" for side in (*_SIDES, "mask")),
        *(f"context_{side}" for side in _SIDES),
        *("before", "after", "action"),
    ),
    "transition": ("state", "action"),
    "next": ("state", "recent", "relations", "mask"),
}
_OUTPUTS: Final = {
    "state": ("state",),
    "edit": ("signed_gate", "unsigned_gate", "contextual", "parts", "place_changed", "place_context"),
    "transition": ("next_state",),
    "next": ("mixture", "share", "contextual", "parts", "logits", "actions"),
}
_LEXICAL_SCALE: Final = np.float32(1 / 16)  # a direction has length 16: one word then counts about 1


@dataclass(frozen=True, slots=True)
class Predicted:
    """What may come next on N definitions.

    ``edits`` (N, EDIT_SIZE) of length 1; ``logits`` (N,), higher where an edit is likelier; ``actions`` (N, 15), the
    rich action expected.
    """

    edits: Matrix
    logits: NDArray[np.float32]
    actions: Matrix


class WorldModel:
    """Embeds edits and states, predicts next edits and next states. Deterministic; one thread; no network.

    One instance serves one thread at a time.
    """

    def __init__(self, bundle: Bundle, threads: int = 1, graphs: Collection[str] = GRAPHS) -> None:
        """``graphs``: those that are loaded now, the others when they are first needed. Raises BundleError."""
        self.bundle = bundle
        self.name = bundle.name
        self.hash = bundle.hash
        self.edit_size = EDIT_SIZE
        self.state_size = STATE_SIZE
        self._common = bundle.common.ranks()
        self._threads = threads
        self._sessions = {graph: _session(bundle, graph, threads) for graph in graphs if graph in bundle.graphs}
        self._structures: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._own: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._place_gates = PlaceGates(self._common, self._ask_place_gates)

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int = 1, graphs: Collection[str] = GRAPHS) -> WorldModel:
        """Load a bundle, the shipped one when no folder is given. Raises BundleError."""
        return cls(read_bundle(Path(folder) if folder is not None else shipped()), threads, graphs)

    def embed_edits(self, pairs: Sequence[tuple[str, str]]) -> Matrix:
        """(before, after) texts, each a definition or a file → (N, EDIT_SIZE), rows of length 1.

        A row is zero where the tokeniser sees no difference.
        """
        features = [edit_features(before, after, self._common) for before, after in pairs]
        out = np.zeros((len(pairs), EDIT_SIZE), np.float32)
        order = sorted(
            (i for i, f in enumerate(features) if not f.empty), key=lambda i: len(features[i].changed.hashes)
        )
        for start in range(0, len(order), _EDITS_AT_ONCE):
            rows = order[start : start + _EDITS_AT_ONCE]
            out[rows] = self._embed([features[i] for i in rows])
        return out

    def embed_edits_with_actions(self, pairs: Sequence[tuple[str, str]]) -> Matrix:
        """``beside_actions`` of the same: (N, EDIT_SIZE + RICH_ACTION_SIZE)."""
        return beside_actions(self.embed_edits(pairs), pairs)

    def embed_states(self, sources: Sequence[str]) -> Matrix:
        """Texts of definitions or files → (N, STATE_SIZE): summed words, then the state of the structure stream.

        Additive: the difference of two states is an edit.
        """
        out = np.zeros((len(sources), STATE_SIZE), np.float32)
        out[:, : STATE_SIZE - STRUCTURE] = self._own_words(sources) * _LEXICAL_SCALE
        out[:, STATE_SIZE - STRUCTURE :] = self._encode(sources)
        return out

    def structure_states(self, sources: Sequence[str]) -> Matrix:
        """Structure states (N, STRUCTURE) alone: the last part of ``embed_states``, at a fraction of its cost."""
        return self._encode(sources)

    def predict_state(self, sources: Sequence[str], actions: Matrix) -> Matrix:
        """Structure states after one action each: (N,) texts and (N, 15) rich actions → (N, STRUCTURE)."""
        return self.advance(self._encode(sources), actions)

    def advance(self, states: Matrix, actions: Matrix) -> Matrix:
        """The same from structure states (N, STRUCTURE), which may be predicted ones themselves."""
        feed = {"state": np.asarray(states, np.float32), "action": np.asarray(actions, np.float32)}
        (after,) = self._run("transition", feed)
        return after

    def predict_next(self, sources: Sequence[str], recent: Matrix) -> Predicted:
        """What comes next on some definitions, after the ``recent`` edits (R, EDIT_SIZE), newest first, R ≥ 1."""
        recent = np.asarray(recent, np.float32)[:RECENT]
        if not len(recent):
            raise ValueError("predict_next needs at least one recent edit")
        count = len(sources)
        if not count:
            return Predicted(
                np.zeros((0, EDIT_SIZE), np.float32),
                np.zeros(0, np.float32),
                np.zeros((0, RICH_ACTION_SIZE), np.float32),
            )
        own = self._known_own_words(sources)
        mixture, share, contextual, parts, logits, actions = self._run(
            "next",
            {
                "state": self._encode(sources),
                "recent": np.broadcast_to(unit(recent[:, LEARNED]), (count, *recent[:, LEARNED].shape)).copy(),
                "relations": relations(own, recent),
                "mask": np.ones((count, len(recent)), bool),
            },
        )
        return Predicted(compose_predicted(own, recent, mixture, share, contextual, parts), logits, actions)

    def _embed(self, features: list[EditFeatures]) -> Matrix:
        before, after = self._encode([f.before for f in features]), self._encode([f.after for f in features])
        # Of the words around, the graph gives nothing but gates, which are known: it is told of none.
        feed = _feed([f.changed for f in features], "changed", mask=True) | _feed([NO_WORDS] * len(features), "context")
        feed |= {"before": before, "after": after, "action": np.stack([f.action for f in features])}
        signed_gate, unsigned_gate, contextual, parts = self._run("edit", feed, list(_OUTPUTS["edit"][:4]))[:4]
        signed, unsigned, place = self._lexical_sums(features, signed_gate, unsigned_gate)
        return compose(signed, unsigned, place, contextual, parts)

    def _lexical_sums(self, features: Sequence[EditFeatures], signed: Matrix, unsigned: Matrix) -> Matrix:
        """The three sums (3, B, LEXICAL) over the words of B edits, by the gates (B, T) of the changed ones."""
        words = [some for f in features for some in (f.changed, f.context)]
        role = np.concatenate([some.role for some in words])
        gates = self._place_gates([key for some in words for key in some.keys], role)
        gates *= np.concatenate([some.numbers[:, :3] for some in words]).max(1)
        towards = directions(np.concatenate([some.hashes for some in words]))
        sums = np.empty((3, len(features), LEXICAL), np.float32)
        start = 0
        for row, f in enumerate(features):
            count = len(f.changed.keys)
            end = start + count + len(f.context.keys)
            weights = np.zeros((3, end - start), np.float32)
            weights[0, :count] = signed[row, :count] * f.changed.net
            weights[1, :count] = unsigned[row, :count]
            weights[2] = gates[start:end]
            sums[:, row] = weights @ towards[start:end]
            start = end
        return sums

    def _known_own_words(self, sources: Sequence[str]) -> Matrix:
        """The same as ``_own_words``, from the cache where it is known."""
        keys = [_key(source) for source in sources]
        missing = {key: source for key, source in zip(keys, sources, strict=True) if key not in self._own}
        found = dict(zip(missing, self._own_words(list(missing.values())), strict=True)) if missing else {}
        for key in keys:
            if key in self._own:
                self._own.move_to_end(key)
                found[key] = self._own[key]
        for key in missing:
            self._own[key] = found[key].copy()
        while len(self._own) > _OWN_CACHE:
            self._own.popitem(last=False)
        return np.stack([found[key] for key in keys])

    def _own_words(self, sources: Sequence[str]) -> Matrix:
        """(N, LEXICAL) sums over the words of definitions as they stand."""
        out = np.zeros((len(sources), STATE_SIZE - STRUCTURE), np.float32)
        for row, source in enumerate(sources):
            words, counts, roles = own_words(source, self._common, most=STATE_WORDS)
            if words:
                weights = self._place_gates(words, roles) * np.log1p(np.array(counts, np.float32))
                out[row] = weights @ directions(np.array([word_hash(word) for word in words], np.uint64))
        return out

    def _ask_place_gates(
        self,
        identity: NDArray[np.int64],
        level: NDArray[np.int64],
        role: NDArray[np.int64],
        numbers: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """The gates (n,) of n words by what is known of each, from the graph of edits, told of no edit."""
        feed = _feed([NO_WORDS], "changed", mask=True)
        feed |= {
            "context_identity": identity[None],
            "context_level": level[None],
            "context_role": role[None],
            "context_numbers": numbers[None],
            "before": np.zeros((1, STRUCTURE), np.float32),
            "after": np.zeros((1, STRUCTURE), np.float32),
            "action": np.zeros((1, RICH_ACTION_SIZE), np.float32),
        }
        return np.asarray(self._run("edit", feed, ["place_context"])[0][0], np.float32)

    def _encode(self, sources: Sequence[str]) -> Matrix:
        """Structure states (N, STRUCTURE), each different text once, from the cache where it is known."""
        keys = [_key(source) for source in sources]
        known: dict[bytes, NDArray[np.float32]] = {}
        missing: dict[bytes, str] = {}
        for key, source in zip(keys, sources, strict=True):
            cached = self._structures.get(key)
            if cached is not None:
                self._structures.move_to_end(key)
                known[key] = cached
            elif key not in known:
                missing[key] = source
        # One by one, which takes as long: the last digits of a state must not hang on what is asked for with it.
        for key, source in missing.items():
            ids, depths = structure_tokens(source)
            (states,) = self._run("state", {"ids": ids[None], "depths": depths[None]})
            known[key] = self._structures[key] = states[0].copy()
        while len(self._structures) > _CACHE:
            self._structures.popitem(last=False)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, STRUCTURE), np.float32)

    def _run(self, graph: str, feed: dict[str, NDArray[Any]], outputs: list[str] | None = None) -> list[Matrix]:
        if graph not in self._sessions:
            self._sessions[graph] = _session(self.bundle, graph, self._threads)
        try:
            result: list[Matrix] = self._sessions[graph].run(outputs, feed)
        except Exception as error:  # onnxruntime has no common error type
            raise self._bad(graph, str(error)) from error
        rows = len(next(iter(feed.values())))
        if not all(len(one) == rows and np.isfinite(one).all() for one in result):
            raise self._bad(graph, f"it does not give {rows} rows of finite numbers")
        return result

    def _bad(self, graph: str, why: str) -> BundleError:
        return BundleError(
            f"{self.bundle.folder / (graph + '.onnx')} cannot be used: {why}. Export the model again, or use the "
            "shipped one"
        )


def _key(source: str) -> bytes:
    return hashlib.blake2b(source.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def open_session(graph: bytes, threads: int = 1) -> Any:
    """An ONNX Runtime session whose threads sleep when idle, with the int4 weights expanded once, at load."""
    onnxruntime = runtime.load()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # A graph may name a file with its weights, in the working directory for example; below no folder there is none.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    options.enable_mem_pattern = False  # it is kept for each length of a text, and with the arena saves nothing
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _session(bundle: Bundle, graph: str, threads: int) -> Any:
    file = bundle.folder / f"{graph}.onnx"
    try:
        session = open_session(bundle.graphs[graph], threads)
    except Exception as error:  # onnxruntime has no common error type for what it cannot load
        raise BundleError(
            f"ONNX Runtime {runtime.load().__version__} cannot load {file}: {error}; "
            f"install onnxruntime >= 1.20 or export the model again"
        ) from error
    inputs, outputs = ({one.name for one in some} for some in (session.get_inputs(), session.get_outputs()))
    if inputs != set(_INPUTS[graph]) or outputs != set(_OUTPUTS[graph]):
        raise BundleError(f"{file} is not that graph of a CodeWM model: export the model again")
    return session


def _stack(rows: Sequence[NDArray[Any]], kind: type[Any]) -> NDArray[Any]:
    """Rows of different lengths → one padded array, at least one wide."""
    width = max(1, max((len(row) for row in rows), default=1))
    first = rows[0]
    out = np.zeros((len(rows), width, *first.shape[1:]), kind)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _feed(words: Sequence[Words], prefix: str, *, mask: bool = False) -> dict[str, NDArray[Any]]:
    feed: dict[str, NDArray[Any]] = {
        f"{prefix}_identity": _stack([w.identity for w in words], np.int64),
        f"{prefix}_level": _stack([w.level for w in words], np.int64),
        f"{prefix}_role": _stack([w.role for w in words], np.int64),
        f"{prefix}_numbers": _stack([w.numbers for w in words], np.float32),
    }
    if mask:
        width = feed[f"{prefix}_identity"].shape[1]
        feed[f"{prefix}_mask"] = np.arange(width) < np.array([[len(w.keys)] for w in words])
    return feed
