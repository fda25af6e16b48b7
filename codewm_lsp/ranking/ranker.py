"""Which definition is edited next: one probability for each definition of the repository.

Two small models over the signals, learnt on the histories of other repositories: one weighs definitions, one weighs
files. Each is a linear one with small trees beside it (``trees``), which are asked about the candidates that matter:
the definitions of the edit's own file, and the likeliest files. A third joins their answers, after one edit in progress
or several, into one probability for each definition. All of them are one file of the model bundle (``ranker_file``).

The world model has no say in it: what its predictor said of the likeliest definitions added nothing
(docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit, EditKind
from codewm_lsp.ranking.boosted_trees import CASE, NO_TREES, Trees
from codewm_lsp.ranking.corpus import Corpus
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.ranking.shortlist import shortlist
from codewm_lsp.ranking.signals import DEFINITION_SIGNALS, changed_words, past, place
from codewm_lsp.ranking.state import EVERY, State, best_of_files
from codewm_lsp.ranking.values import SignalValues, edits_asked, signals_of
from codewm_lsp.records import dataclass
from codewm_lsp.source import DefinitionKind

Floats = NDArray[np.float32]
Odds = NDArray[np.float64]

BEST: Final = "best:"  # before the name of a definition's signal, where a file has that of its best definition
LIKELY_FILES: Final = 100  # likeliest files that the trees are asked about
UNSAID: Final = 2.0  # times the odds that the code outside of all definitions has where nothing says why
_SAYING: Final = frozenset(
    {
        changed_words.STILL_MENTIONS,
        changed_words.HAS_A_CHANGED_LINE,
        changed_words.IS_NAMED_BY_IT,
        changed_words.USES_IT,
        changed_words.IS_ITS_TWIN,
        changed_words.TESTS_IT,
        past.CHANGED_TOGETHER,
        place.IS_NEEDED,
    }
)
SAYS_WHY: Final = tuple(name for name, signal in DEFINITION_SIGNALS.items() if signal.explanation in _SAYING)
"""Signals that say why a definition changes with an edit. That it changed lately, or has words in common, does not."""


@dataclass(frozen=True, slots=True)
class Joint:
    """From the logits of files and definitions to the log-odds of each definition being next.

    In the file of the edit in progress: ``own`` + ``definition`` · the definition's logit + ``log_sum`` · the log of
    the sum of the exponentials of all logits of the file: where many compete, each is less likely. In any other:
    ``other`` + ``file`` · the file's logit + ``behind`` · how far the definition's logit stays behind the best one of
    its file, so that files come in the order of their own logits.
    """

    own: float
    definition: float
    log_sum: float
    other: float
    file: float
    behind: float


@dataclass(frozen=True, slots=True)
class Several:
    """How the log-odds that each of n edits in progress gives become one.

    They are averaged as (1 / ``sharpness``) · log of the mean of exp(``sharpness`` · odds): 0 would be the plain mean,
    much the maximum. An edit counts ``older`` of the next newer one in that mean. ``count`` · log n and ``slope`` ·
    log n · that mean are added: edits in progress are about the same thing and no independent witnesses, and what has
    been edited is not there to be edited any more. What the newest says is never taken back by more than ``less``: a
    file left dirty has nothing to do with it, most of the time.
    """

    sharpness: float = 1.0
    older: float = 1.0
    count: float = 0.0
    slope: float = 0.0
    less: float = 0.25


Case = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ranker:
    """``definition`` and ``file`` weigh signals by name; ``best:`` names the best of a file's definitions.

    Both have the weights of every edit under ``always`` and what is added to them in certain cases (``CASES``); the
    trees of each are added to its sum. ``threshold``: the one of ``lens_scores`` from which on a prediction is shown by
    itself; ``surer``: how much surer than the first lens of a file others have to be.
    """

    definition: Mapping[str, Case]
    file: Mapping[str, Case]
    joint: Joint
    several: Several
    threshold: float
    definition_trees: Trees = NO_TREES
    file_trees: Trees = NO_TREES
    surer: float = 1.0

    def after(self, edit: Edit) -> tuple[Case, Case]:
        """The weights of definitions and of files that hold after this edit."""
        cases = ("always", *cases_of(edit))
        return _summed(self.definition, cases), _summed(self.file, cases)


def cases_of(edit: Edit) -> tuple[str, ...]:
    """Which of ``CASES`` an edit is."""
    return tuple(case for case, holds in CASES.items() if holds(edit))


CASES: Final[Mapping[str, Callable[[Edit], bool]]] = {
    "added": lambda edit: edit.kind is EditKind.ADDED,
    "removed": lambda edit: edit.kind is EditKind.REMOVED,
    "module": lambda edit: edit.definition_kind is DefinitionKind.MODULE,
    "class": lambda edit: edit.definition_kind is DefinitionKind.CLASS,
    "test": lambda edit: conventions_of(edit.path).is_test(edit.path),
}


def _summed(weights: Mapping[str, Case], cases: Sequence[str]) -> dict[str, float]:
    total: dict[str, float] = {}
    for case in cases:
        for name, weight in weights.get(case, {}).items():
            total[name] = total.get(name, 0.0) + weight
    return total


@dataclass(frozen=True, slots=True)
class Ranking:
    """``odds``: the log-odds of definitions of the corpus, (N,), of all or of those from row ``first`` on. ``asked``:
    the edits in progress, newest first, each with the log-odds it alone gives, (N,)."""

    odds: Odds
    asked: tuple[tuple[Edit, Odds], ...]
    first: int = 0

    def of(self, rows: NDArray[np.int64]) -> Odds:
        """The log-odds of these rows of the corpus."""
        return self.odds[rows - self.first]

    def after_each(self, rows: Sequence[int]) -> Odds:
        """The log-odds of these rows after each of the edits alone, (edits, rows)."""
        chosen = np.array(rows, dtype=np.int64) - self.first
        return np.stack([odds[chosen] for _, odds in self.asked])

    @property
    def nbytes(self) -> int:
        """Of its arrays."""
        return self.odds.nbytes + sum(odds.nbytes for _, odds in self.asked)


def rank(
    state: State,
    editing: Sequence[Edit],
    ranker: Ranker,
    signals_of: Callable[[State, Edit], SignalValues] = signals_of,
) -> Ranking:
    """Rank all definitions of ``state`` by what the edits in progress (newest first, at least one) say together.

    ``signals_of``: the function of that name, or one that remembers what it said.
    """
    some = editing[: edits_asked(len(state.corpus))]
    odds = [log_odds(state, edit, signals_of(state, edit), ranker) for edit in some]
    return joined(editing, odds, ranker)


def joined(editing: Sequence[Edit], odds: Sequence[Odds], ranker: Ranker, first: int = 0) -> Ranking:
    """The same, given the log-odds after each of those that are asked about, of the definitions from ``first`` on."""
    asked = tuple(zip(editing, odds, strict=False))
    return Ranking(together(np.stack([odds for _, odds in asked]), ranker.several), asked, first)


def together(odds: NDArray[np.float64], several: Several) -> NDArray[np.float64]:
    """The log-odds after several edits, newest first: (n, N) → (N,). One edit stands for itself."""
    count = len(odds)
    if count == 1:
        return np.asarray(odds[0])
    weights = several.older ** np.arange(count, dtype=np.float64)
    weights /= weights.sum()
    sharp = several.sharpness
    top = odds.max(0)
    mean = top + np.log((weights[:, None] * np.exp(sharp * (odds - top))).sum(0)) / sharp
    said = mean + np.log(count) * (several.count + several.slope * mean)
    return np.asarray(np.maximum(said, odds[0] - several.less))


def ordered(ranking: Ranking, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows by falling probability, and these probabilities."""
    rows = rows[np.argsort(-ranking.of(rows), kind="stable")]
    return rows, probabilities(ranking.of(rows))


def probabilities(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds → probabilities."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


def lens_scores(
    likely: NDArray[np.float64], module_level: NDArray[np.bool_], must: NDArray[np.bool_], surer: float
) -> NDArray[np.float64]:
    """What decides which definitions of a file have a lens, (n,), of their probabilities: 0 to 1.

    The first lens of a file tells where to look; each further one, and one on the code outside of all definitions,
    has to be surer: its odds are divided by ``surer``. Those that ``must`` follow the edits stand as they are, and any
    other is a further one beside them.
    """
    share = np.where(module_level & ~must, surer, 1.0)
    odds = likely / np.maximum(1 - likely, 1e-9) / share
    further = ~must
    if len(odds) and not must.any():
        further[np.argmax(odds)] = False
    odds = np.where(further, odds / surer, odds)
    return np.asarray(odds / (1 + odds))


def log_odds(state: State, edit: Edit, signals: SignalValues, ranker: Ranker) -> NDArray[np.float64]:
    """Log-odds of each definition being next after one edit, (N,)."""
    of_definitions, _ = ranker.after(edit)
    corpus, joint = state.corpus, ranker.joint
    definitions = weighed(signals.definitions, of_definitions, len(corpus))
    files = file_log_odds(state, edit, signals, ranker)
    best = best_of_files(state, definitions)
    odds = joint.other + joint.file * files[corpus.file] + joint.behind * (definitions - best[corpus.file])
    own = file_of_edit(corpus, edit)
    if own >= 0:
        rows = slice(int(corpus.first[own]), int(corpus.first[own + 1]))
        odds[rows] = _log_odds_beside(edit, definitions[rows], rows, signals, ranker)
    return np.asarray(odds)


def log_odds_in_file(edit: Edit, part: SignalValues, ranker: Ranker, file: int, said: float | None) -> Odds:
    """The same of the definitions of one file alone, (n,).

    ``part``: the signals of the ``files_beside`` it, among which it is the number ``file``. ``said``: what
    ``file_log_odds`` says of it; None where it is the file of the edit.
    """
    state = part.edit.state
    rows = slice(int(state.corpus.first[file]), int(state.corpus.first[file + 1]))
    of_definitions, _ = ranker.after(edit)
    definitions = weighed(part.definitions, of_definitions, len(state.corpus))
    if said is None:
        return _log_odds_beside(edit, definitions[rows], rows, part, ranker)
    joint, best = ranker.joint, best_of_files(state, definitions)[file]
    return np.asarray(joint.other + joint.file * said + joint.behind * (definitions[rows] - best))


def files_beside(corpus: Corpus, edit: Edit, file: int) -> list[int]:
    """A file, and that of the edit where it would be taken for it in a part without that: an edit that moved a
    definition is in the file it came from, if it is in no other."""
    own = file_of_edit(corpus, edit)
    return sorted({file, own}) if own >= 0 and corpus.paths[file] == edit.previous_path else [file]


def file_of_edit(corpus: Corpus, edit: Edit) -> int:
    """The number of the file that an edit is in; -1 where it is not in the corpus."""
    number = corpus.number
    return number[edit.path] if edit.path in number else number.get(edit.previous_path or "", -1)


def file_log_odds(state: State, edit: Edit, signals: SignalValues, ranker: Ranker) -> Odds:
    """What speaks for each file but that of the edit, its definitions among it, (M,)."""
    best: dict[str, Odds] = {}

    def column(name: str, files: slice | NDArray[np.int64] = EVERY) -> NDArray[Any]:
        if not name.startswith(BEST):
            return signals.files[name][files]
        if name not in best:  # of each file one number is kept, not those of all definitions
            best[name] = best_of_files(state, signals.definitions.once(name[len(BEST) :]))
        return best[name][files]

    _, weights = ranker.after(edit)
    logits = weighed(signals.files, weights, len(state.corpus.paths))
    for name, weight in weights.items():
        if name.startswith(BEST) and name[len(BEST) :] in signals.definitions:
            logits += weight * column(name)
    own = file_of_edit(state.corpus, edit)
    _ask_file_trees(logits, edit, ranker.file_trees, own, column)
    return logits


def _log_odds_beside(
    edit: Edit, here: NDArray[np.float64], rows: slice, signals: SignalValues, ranker: Ranker
) -> NDArray[np.float64]:
    """The log-odds of the definitions in the file of the edit, of which ``here`` has the weighed signals."""
    joint, trees = ranker.joint, ranker.definition_trees
    if trees.roots:
        here = here + trees.scores(columns_of(trees, edit, len(here), lambda name: signals.definitions[name][rows]))
    others = [i for i, name in enumerate(signals.edit.corpus.names[rows]) if name != edit.definition]
    log_sum = float(np.logaddexp.reduce(here[others])) if others else 0.0
    less = np.log(UNSAID) * unsaid(lambda name: signals.definitions[name][rows])
    return np.asarray(joint.own + joint.definition * here + joint.log_sum * log_sum - less)


def unsaid(column: Callable[[str], NDArray[Any]]) -> NDArray[np.bool_]:
    """Which definitions of an edit's file are the code outside of all others, with no signal to say why it would be
    next: the trees take it to be likelier than it is, and a person sees nothing to believe it by.

    ``column``: the values of a signal.
    """
    found = np.asarray(column("is_module") > 0)
    for name in SAYS_WHY if found.any() else ():
        found = found & ~(column(name) > 0)
    return found


def shortlisted_odds(
    state: State, edit: Edit, signals: SignalValues, ranker: Ranker, near: Collection[str] = ()
) -> NDArray[np.float64]:
    """The same in a very large repository, (N,): those of the definitions of a ``shortlist`` of files, those ``near``
    among them. All others come behind these."""
    files = _shortlisted(state, edit, signals, ranker, near)
    if not files:
        return np.zeros(len(state.corpus))
    part = signals.part(files)
    some = log_odds(part.edit.state, edit, part, ranker)
    odds = np.full(len(state.corpus), some.min(initial=0.0))
    odds[state.corpus.rows_of(np.array(files, dtype=np.int64))] = some
    return odds


def shortlisted_file_log_odds(
    state: State, edit: Edit, signals: SignalValues, ranker: Ranker, near: Collection[str]
) -> NDArray[np.float64]:
    """``file_log_odds`` of the ``shortlist`` of files, (M,), those ``near`` among them; 0 of all others."""
    files = _shortlisted(state, edit, signals, ranker, near)
    odds = np.zeros(len(state.corpus.paths))
    if files:
        part = signals.part(files)
        odds[files] = file_log_odds(part.edit.state, edit, part, ranker)
    return odds


def _shortlisted(state: State, edit: Edit, signals: SignalValues, ranker: Ranker, near: Collection[str]) -> list[int]:
    said_of_files = weighed(signals.files, ranker.after(edit)[1], len(state.corpus.paths))
    return shortlist(signals.edit, said_of_files, near)


def _ask_file_trees(
    logits: Odds, edit: Edit, trees: Trees, own: int, column: Callable[[str, NDArray[np.int64]], NDArray[Any]]
) -> None:
    """Add what the trees say of the likeliest files to their logits; all others stay behind these.

    ``column``: the values of a signal, or of the best definition's, for some files (ascending).
    """
    if not trees.roots:
        return
    order = np.argsort(-logits, kind="stable")
    order = order[order != own]
    likely, rest = np.sort(order[:LIKELY_FILES]), order[LIKELY_FILES:]
    if not len(likely):
        return
    columns = columns_of(trees, edit, len(likely), lambda name: column(name, likely))
    logits[likely] += trees.scores(columns)
    if len(rest):
        logits[rest] += min(0.0, float(logits[likely].min() - logits[rest].max()))


def columns_of(trees: Trees, edit: Edit, count: int, column: Callable[[str], NDArray[Any]]) -> list[NDArray[Any]]:
    """What the trees ask about, of so many rows: the case of the edit, and signals, of which ``column`` gives each."""
    held = {CASE + case for case in cases_of(edit)}
    return [np.full(count, float(name in held)) if name.startswith(CASE) else column(name) for name in trees.signals]


def file_column(
    state: State, signals: SignalValues, name: str, files: slice | NDArray[np.int64] = EVERY
) -> NDArray[Any]:
    """A signal of ``files`` (ascending), (F,): their own, or after ``best:`` that of their best definition."""
    if name.startswith(BEST):
        return best_of_files(state, signals.definitions[name[len(BEST) :]], files)
    return signals.files[name][files]


def weighed(signals: Mapping[str, Floats], weights: Case, count: int) -> NDArray[np.float64]:
    """The sum of the signals times their weights, (``count``,); a signal without a weight counts for nothing."""
    total = np.zeros(count, dtype=np.float64)
    for name in signals:
        if weight := weights.get(name):
            total += weight * signals[name]
    return total
