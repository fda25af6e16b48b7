"""What speaks for a definition, or a file, being changed next: one number each, for all of them at once."""

from __future__ import annotations

import builtins
import keyword
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_lsp.ranking.co_change import NEVER
from codewm_lsp.ranking.conventions import signature_end
from codewm_lsp.ranking.corpus import (
    KINDS,
    code_of,
    line_hashes,
    phrases_of,
    running_tokens,
    simple_name,
    tokens_of,
)
from codewm_lsp.ranking.state import Signals, State, pick
from codewm_lsp.source import MODULE_NAME, DefinitionKind, split_identifier

Floats = NDArray[np.float32]
MOST_EDITS: Final = 8  # edits in progress that are asked about, the newest ones
_PLAIN: Final = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"self", "cls", "match", "case", "type"}


class _Asking:
    """One edit in progress against one state."""

    def __init__(self, state: State, edit: Edit) -> None:
        self.state = state
        self.corpus = state.corpus
        self.edit = edit
        self.before = tokens_of(edit.before)
        self.after = tokens_of(edit.after)
        self.file = self.corpus.number.get(edit.path, self.corpus.number.get(edit.previous_path or "", -1))

    def signals(self) -> Signals:
        return Signals(
            definitions={**self.words(), **self.place(), **self.past()},
            files=self.files(),
            gone=tuple(self.gone),
            fresh=tuple(self.fresh),
        )

    def _weighed(self, tokens: Mapping[str, float], power: float = 1.0) -> dict[str, float]:
        """Tokens → log(1 + n) · idf ** power; a word that no definition holds weighs as the rarest."""
        return {token: float(np.log1p(count)) * self._idf(token) ** power for token, count in tokens.items()}

    def _idf(self, token: str) -> float:
        number = self.corpus.vocabulary.ids.get(token)
        idf = self.corpus.idf
        return float(idf[number]) if number is not None and number < len(idf) else 1.0

    def _share(self, tokens: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Of these words' weight, the share found in each definition, and the amount found."""
        weighed = self._weighed(tokens, 2.0)
        total = sum(weighed.values())
        found = self.corpus.found(self.corpus.weights(weighed))
        return found / (total + 1e-6), np.log1p(found)

    @cached_property
    def gone(self) -> Counter[str]:
        """Words that no longer stand in the definition."""
        return Counter({token: n for token, n in self.before.items() if token not in self.after})

    @cached_property
    def fresh(self) -> Counter[str]:
        """Words that did not stand in it."""
        return Counter({token: n for token, n in self.after.items() if token not in self.before})

    def words(self) -> dict[str, Floats]:
        corpus = self.corpus
        signals: dict[str, Floats] = {}
        gone, gone_amount = self._share(self.gone)
        fresh, fresh_amount = self._share(self.fresh)
        signals["gone"], signals["gone_amount"] = gone, gone_amount
        signals["fresh"], signals["fresh_amount"] = fresh, fresh_amount
        signals["gone_not_fresh"] = gone * (1 - fresh)
        removed, removed_amount = self._share(self.before - self.after)
        added, added_amount = self._share(self.after - self.before)
        signals["removed"], signals["removed_amount"] = removed, removed_amount
        signals["added"], signals["added_amount"] = added, added_amount
        changed = (self.before - self.after) + (self.after - self.before)
        signals["changed_similarity"] = corpus.similarity(self._weighed(changed))
        for name, tokens in (("gone_parts", self.gone), ("fresh_parts", self.fresh)):
            parts: Counter[str] = Counter()
            for token in tokens:
                parts.update(dict.fromkeys(split_identifier(token), 1))
            weights = corpus.spread(self._weighed(parts, 2.0))
            signals[name] = np.log1p(corpus.found(weights))
        own = self.edit.before or self.edit.after
        reading = tokens_of(own)
        damped = self._damped(reading)
        signals["similarity"] = corpus.similarity(damped)
        signals["similarity_after"] = corpus.similarity(self._damped(self.after or self.before))
        signals["shared_words"] = np.log1p(corpus.found(corpus.weights(self._weighed(reading, 3.0))))
        old, new = set(line_hashes(self.edit.before)), set(line_hashes(self.edit.after))
        for name, lines in (("removed_lines", old - new), ("added_lines", new - old), ("kept_lines", old & new)):
            hashes = np.array(sorted(lines), dtype=np.uint32)
            frequency = corpus.line_frequency(hashes)
            weights = 1 / np.sqrt(1 + np.maximum(frequency - 1, 0))
            signals[name] = np.log1p(corpus.lines_found(hashes, weights.astype(np.float32)))
        gone_lines = "\n".join(line for line in self.edit.before.split("\n") if line.strip() not in self._new_lines)
        new_lines = "\n".join(line for line in self.edit.after.split("\n") if line.strip() not in self._old_lines)
        self.hunk_before, self.hunk_after = tokens_of(gone_lines), tokens_of(new_lines)
        signals["hunk"], signals["hunk_amount"] = self._share(self.hunk_before)
        signals["new_hunk"], signals["new_hunk_amount"] = self._share(self.hunk_after - self.hunk_before)
        signals["unconverted"] = signals["hunk"] * (1 - fresh)
        old_phrases, new_phrases = self._phrases(self.edit.before), self._phrases(self.edit.after)
        for name, phrases in (
            ("gone_phrases", old_phrases - new_phrases),
            ("fresh_phrases", new_phrases - old_phrases),
            ("kept_phrases", old_phrases & new_phrases),
            ("hunk_phrases", self._phrases(gone_lines)),
        ):
            hashes = np.array(sorted(phrases), dtype=np.uint32)
            frequency = corpus.phrase_frequency(hashes)
            weights = np.log((len(corpus) + 1) / (frequency + 0.5)) / np.log((len(corpus) + 1) / 0.5)
            signals[name] = np.log1p(corpus.phrases_found(hashes, (weights**2).astype(np.float32)))
        own_phrases = np.array(sorted(old_phrases or new_phrases), dtype=np.uint32)
        alike = corpus.phrases_found(own_phrases, np.ones(len(own_phrases), dtype=np.float32))
        held = np.diff(corpus.phrase_bounds).astype(np.float32)
        signals["phrase_similarity"] = (alike / np.sqrt((len(own_phrases) + 1) * (held + 1))).astype(np.float32)
        signals["size"] = np.log1p(corpus.size.astype(np.float32))
        signals["size_difference"] = np.abs(signals["size"] - np.float32(np.log1p(reading.total())))
        # names
        name = simple_name(self.edit.definition)
        weight = self._weighed({name: 1}, 1.0)[name] / float(np.log(2))
        calls = corpus.found(corpus.weights({name: weight}))
        signals["mentions_it"] = calls if name != MODULE_NAME else np.zeros_like(calls)
        name_idf = corpus.idf[corpus.name_words]
        share = 1 / np.sqrt(np.maximum(np.bincount(corpus.name_words, minlength=len(corpus.vocabulary)), 1))
        rare = name_idf * share[corpus.name_words].astype(np.float32)
        for label, tokens in (
            ("named_before", self.before),
            ("named_fresh", self.fresh),
            ("named_gone", self.gone),
            ("named_changed", changed),
            ("named_hunk", self.hunk_before + self.hunk_after),
        ):
            present = corpus.weights(dict.fromkeys(tokens, 1.0))
            signals[label] = present[corpus.name_words] * rare
        signature = any(line.strip() not in self._new_lines for line in self._header(self.edit.before)) or any(
            line.strip() not in self._old_lines for line in self._header(self.edit.after)
        )
        signals["calls_changed"] = signals["mentions_it"] * np.float32(signature)
        for label, tokens in (("name_in_fresh", self.fresh), ("name_in_hunk", self.hunk_before + self.hunk_after)):
            known = {part for token in tokens for part in split_identifier(token)}
            parts_found = corpus.spread(self._weighed(dict.fromkeys(known, 1), 1.0))
            signals[label] = parts_found[corpus.name_words]
        same = corpus.vocabulary.ids.get(name, -1)
        signals["same_name"] = (corpus.name_words == same).astype(np.float32)
        mine = set(split_identifier(name)) - {"test"}
        parts_of_name = self._weighed(dict.fromkeys(mine, 1), 1.0)
        total = sum(parts_of_name.values()) + 1e-6
        signals["like_name"] = corpus.spread(parts_of_name)[corpus.name_words] / np.float32(total)
        return signals

    @staticmethod
    def _header(text: str) -> list[str]:
        """The lines of a definition down to the end of its signature."""
        lines = text.split("\n")
        return lines[: signature_end(lines)]

    @cached_property
    def _new_lines(self) -> set[str]:
        return {line.strip() for line in self.edit.after.split("\n")}

    @cached_property
    def _old_lines(self) -> set[str]:
        return {line.strip() for line in self.edit.before.split("\n")}

    @staticmethod
    def _phrases(text: str) -> set[int]:
        return set(phrases_of([code_of(token) for token in running_tokens(text)]).tolist())

    def _damped(self, tokens: Mapping[str, int]) -> dict[str, float]:
        """Tokens as ``Corpus.damped`` weighs those of definitions."""
        return {token: (1 + float(np.log(min(count, 255)))) * self._idf(token) for token, count in tokens.items()}

    def place(self) -> dict[str, Floats]:
        corpus = self.corpus
        n = len(corpus)
        signals: dict[str, Floats] = {}
        for kind in DefinitionKind:
            signals[f"is_{kind.value}"] = (corpus.kinds == KINDS.index(kind)).astype(np.float32)
        signals["same_kind"] = (corpus.kinds == KINDS.index(self.edit.definition_kind)).astype(np.float32)
        init = corpus.vocabulary.ids.get("__init__", -1)
        signals["is_init"] = (corpus.name_words == init).astype(np.float32)
        for label in (
            "distance",
            "steps",
            "next_below",
            "next_above",
            "same_class",
            "its_class",
            "its_member",
            "unresolved_names",
            "unused_names",
            "new_attributes",
            "gone_here",
            "fresh_here",
            "hunk_here",
            "new_hunk_here",
            "fresh_parts_here",
            "similarity_here",
            "frequency_here",
            "recency_here",
        ):
            signals[label] = np.zeros(n, dtype=np.float32)
        if self.file < 0:
            return signals
        low, high = int(corpus.first[self.file]), int(corpus.first[self.file + 1])
        if low == high:
            return signals  # a file that was emptied
        rows = np.arange(low, high)
        at = self.edit.line
        here = [i for i in range(low, high) if corpus.names[i] == self.edit.definition]
        if here:
            at = int(corpus.line[here[0]])
        lines = corpus.line[rows]
        signals["distance"][rows] = 1 / (1 + np.log1p(np.abs(lines - at).astype(np.float32)))
        order = np.argsort(np.argsort(lines, kind="stable"), kind="stable")
        mine = float(order[here[0] - low]) if here else float(np.searchsorted(np.sort(lines), at)) - 0.5
        steps = order - mine
        signals["steps"][rows] = 1 / (1 + np.abs(steps))
        signals["next_below"][rows] = ((steps > 0) & (steps <= 1)).astype(np.float32)
        signals["next_above"][rows] = ((steps < 0) & (steps >= -1)).astype(np.float32)
        owner = self.edit.definition.rpartition(".")[0]
        names = corpus.names[low:high]
        owners = [name.rpartition(".")[0] for name in names]
        signals["same_class"][rows] = [float(bool(owner) and other == owner) for other in owners]
        signals["its_class"][rows] = [float(bool(owner) and other == owner) for other in names]
        signals["its_member"][rows] = [float(other == self.edit.definition) for other in owners]
        self._needs(signals, low, high, owner)
        self._here(signals, low, high)
        return signals

    def _here(self, signals: dict[str, Floats], low: int, high: int) -> None:
        """The words of the edit weighed by how rare they are within its file."""
        corpus = self.corpus
        begin, end = int(corpus.word_bounds[low]), int(corpus.word_bounds[high])
        words, place = np.unique(corpus.words[begin:end], return_inverse=True)
        bounds = corpus.word_bounds[low : high + 1] - begin
        count = high - low
        idf = np.log((count + 1) / (np.bincount(place, minlength=len(words)) + 0.5)) / np.log((count + 1) / 0.5)
        position = {int(word): index for index, word in enumerate(words.tolist())}
        tokens = [corpus.vocabulary.token(int(word)) for word in words]

        def sums(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            total = np.concatenate(([0.0], np.cumsum(weights[place])))
            return np.asarray(total[bounds[1:]] - total[bounds[:-1]])

        def whole(wanted: Mapping[str, int]) -> NDArray[np.float64]:
            weights = np.zeros(len(words))
            for token in wanted:
                index = position.get(corpus.vocabulary.ids.get(token, -1))
                if index is not None:
                    weights[index] = idf[index]
            return weights

        rows = slice(low, high)
        for label, wanted in (
            ("gone_here", self.gone),
            ("fresh_here", self.fresh),
            ("hunk_here", self.hunk_before),
            ("new_hunk_here", self.hunk_after),
        ):
            weights = whole(wanted)
            signals[label][rows] = np.log1p(sums(weights**2))
        parts = {part for token in self.fresh for part in split_identifier(token)}
        related = np.array([any(part in parts for part in split_identifier(token)) for token in tokens]) * idf**2
        signals["fresh_parts_here"][rows] = np.log1p(sums(related))
        own = whole(self.before or self.after)
        norm = np.sqrt(sums(idf**2)) * (float(np.linalg.norm(own)) + 1e-6) + 1e-6
        signals["similarity_here"][rows] = sums(own * idf) / norm
        often = self.state.frequency[rows]
        signals["frequency_here"][rows] = often / (often.max() + 1)
        recency = self.state.recency[rows]
        place_of = np.argsort(np.argsort(recency, kind="stable"), kind="stable")
        signals["recency_here"][rows] = np.where(recency < NEVER, 1 / (1 + place_of), 0)

    def _needs(self, signals: dict[str, Floats], low: int, high: int, owner: str) -> None:
        """Names that the edit needs from elsewhere in its file, or that it was the last to use."""
        corpus = self.corpus
        words = corpus.words[corpus.word_bounds[low] : corpus.word_bounds[high]]
        known = corpus.vocabulary.ids
        standing = set(words.tolist())
        fresh = [t for t in self.fresh if t not in _PLAIN and t.isidentifier() and len(t) > 1]
        unknown = [t for t in fresh if known.get(t, -1) not in standing]
        gone = [t for t in self.gone if t not in _PLAIN and t.isidentifier()]
        elsewhere: Counter[int] = Counter(words.tolist())
        unused = [t for t in gone if elsewhere.get(known.get(t, -1), 0) == 2]
        module = [i for i in range(low, high) if corpus.names[i] == MODULE_NAME]
        for row in module:
            own = set(corpus.words[corpus.word_bounds[row] : corpus.word_bounds[row + 1]].tolist())
            signals["unresolved_names"][row] = np.log1p(len(unknown))
            signals["unused_names"][row] = np.log1p(sum(known[t] in own for t in unused))
        if owner:
            attributes = [t for t in unknown if f"self.{t}" in self.edit.after]
            for row in range(low, high):
                if corpus.names[row] == f"{owner}.__init__" or corpus.names[row] == owner:
                    signals["new_attributes"][row] = np.log1p(len(attributes))

    def past(self) -> dict[str, Floats]:
        state, changes = self.state, self.state.changes
        path = state.renamed.get(self.edit.path, self.edit.path)
        asked = changes.definition(path, self.edit.definition)
        both = changes.together("definition", "definition", asked, state.after)
        ids = state.definition_ids
        signals = {
            "coupling": np.log1p(pick(both.count, ids, 0)),
            "coupling_recent": np.log1p(pick(both.recent, ids, 0)),
            "coupling_small": np.log1p(pick(both.small, ids, 0)),
            "coupling_share": pick(both.count, ids, 0) / (both.asked + 2),
            "coupling_near": np.log1p(pick(both.near, ids, 0)),
            "coupling_jaccard": pick(both.count, ids, 0)
            / (both.asked + state.frequency - pick(both.count, ids, 0) + 2),
        }
        asked_file = changes.file(path)
        file_both = changes.together("definition", "file", asked_file, state.after)
        signals["file_coupling"] = np.log1p(pick(file_both.small, ids, 0))
        signals["file_coupling_near"] = np.log1p(pick(file_both.near, ids, 0))
        signals["file_coupling_share"] = pick(file_both.count, ids, 0) / (file_both.asked + 2)
        named = changes.together("name", "name", changes.name(simple_name(self.edit.definition)), state.after)
        signals["name_coupling"] = np.log1p(pick(named.small, state.simple_ids, 0))
        signals["name_coupling_share"] = pick(named.count, state.simple_ids, 0) / (named.asked + 2)
        signals["recency"] = 1 / (1 + np.log1p(state.recency))
        signals["just_changed"] = (state.recency < 1).astype(np.float32)
        signals["changed_lately"] = np.exp(-state.recency / 20)
        mine = state.changes.recency("definition", state.after)[asked] if asked >= 0 else NEVER
        signals["last_together"] = ((state.recency == mine) & (state.recency < NEVER)).astype(np.float32)
        signals["frequency"] = np.log1p(state.frequency)
        signals["activity"] = np.log1p(state.activity)
        return {name: value.astype(np.float32) for name, value in signals.items()}

    def files(self) -> dict[str, Floats]:
        corpus, state, changes = self.corpus, self.state, self.state.changes
        path = state.renamed.get(self.edit.path, self.edit.path)
        asked_file = changes.file(path)
        asked = changes.definition(path, self.edit.definition)
        ids = state.file_ids
        both = changes.together("file", "file", asked_file, state.after)
        mine = changes.together("file", "definition", asked, state.after)
        count = pick(both.count, ids, 0)
        signals: dict[str, NDArray[np.floating]] = {
            "coupling": np.log1p(count),
            "coupling_recent": np.log1p(pick(both.recent, ids, 0)),
            "coupling_small": np.log1p(pick(both.small, ids, 0)),
            "coupling_share": count / (both.asked + 2),
            "coupling_near": np.log1p(pick(both.near, ids, 0)),
            "its_coupling_near": np.log1p(pick(mine.near, ids, 0)),
            "coupling_jaccard": count / (both.asked + state.file_frequency - count + 2),
            "its_coupling": np.log1p(pick(mine.count, ids, 0)),
            "its_coupling_small": np.log1p(pick(mine.small, ids, 0)),
            "its_coupling_share": pick(mine.count, ids, 0) / (mine.asked + 1),
            "recency": 1 / (1 + np.log1p(state.file_recency)),
            "just_changed": (state.file_recency < 1).astype(np.float32),
            "changed_lately": np.exp(-state.file_recency / 20),
            "frequency": np.log1p(state.file_frequency),
            "activity": np.log1p(state.file_activity),
        }
        own = state.changes.recency("file", state.after)[asked_file] if asked_file >= 0 else NEVER
        signals["last_together"] = ((state.file_recency == own) & (state.file_recency < NEVER)).astype(np.float32)
        told = {part for token in (*self.hunk_before, *self.hunk_after) for part in split_identifier(token)}
        called = set(split_identifier(simple_name(self.edit.definition)))
        spread = pick(both.small, ids, 0)
        by_folder = np.zeros(len(ids), dtype=np.float32)
        for members in corpus.layout.folders:
            by_folder[members] = spread[members].mean()
        signals["folder_coupling"] = np.log1p(by_folder)
        signals |= corpus.layout.beside(self.edit.path, told, called)
        sources, targets = state.imports
        imports_it = np.zeros(len(corpus.paths), dtype=np.float32)
        imported = np.zeros(len(corpus.paths), dtype=np.float32)
        if self.file >= 0:
            imports_it[sources[targets == self.file]] = 1
            imported[targets[sources == self.file]] = 1
        signals["imports_it"], signals["it_imports"] = imports_it, imported
        sizes = np.diff(corpus.first).astype(np.float32)
        signals["definitions"] = np.log1p(sizes)
        return {name: value.astype(np.float32) for name, value in signals.items()}


def signals_of(state: State, edit: Edit) -> Signals:
    """Everything that the edit in progress says about what comes next."""
    return _Asking(state, edit).signals()
