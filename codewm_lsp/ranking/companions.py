"""Which files of any kind usually change together with those of a change: the questions that a blend is asked.

Counting is done in commits, as in ``co_change``. All that is known of a file is its path and when it changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import distinct
from codewm_lsp.history.changed_files import ChangedFiles, FileEvent
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.records import dataclass
from codewm_lsp.source.languages import is_source
from codewm_lsp.source.words import split_identifier

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

RECENT: Final = 150
"""Newest commits of a file, or of a folder, that are counted."""

OFTEN: Final = 100
"""Newest commits of all whose files are candidates whatever is changed: a changelog."""

LEADING: Final = 12
"""Candidates that are looked at closely for each of some signals: those that have most of it."""

LIKEST: Final = 12
"""Past commits that are most like a change, of which at most so many are looked at."""

_LEADING: Final = (
    *("like_commits_share", "best_share", "best_recent_share", "same_kind_share", "rate_10", "folder_share"),
    *("added_share", "same_subject"),
)
_BITS: Final = 1 << np.arange(5)  # of the kinds that a file can be
_FEW: Final = 12  # newest commits of a kind
_HALF: Final = 10.0  # commits of a file after which a joint change counts half
_NOTES: Final = re.compile(r"(?:^|/)[^/]*(?:change|history|news|release|whats_?new|authors|contributors)[^/]*$", re.I)
_DOCUMENTS: Final = re.compile(r"(?:^|/)(?:docs?|documentation)/|\.(?:rst|md|txt|adoc)$", re.I)
_SETTINGS: Final = re.compile(r"(?:^|/)\.[^/]+|\.(?:toml|cfg|ini|ya?ml|json|in)$", re.I)

SIGNALS: Final = (
    "changed_files",
    "changed_known",
    "changed_added",
    "changed_source",
    "changed_tests",
    "changed_documents",
    "changed_notes",
    "changed_settings",
    "best_share",
    "best_count",
    "best_asked",
    "mean_share",
    "either_share",
    "best_recent_share",
    "mean_recent_share",
    "best_misses",
    "best_hits",
    "least_misses",
    "like_commits_share",
    "likest_share",
    "likest_likeness",
    "all_share",
    "all_count",
    "just_these",
    "just_with_it",
    "pairs_share",
    "most_share",
    "most_like_share",
    "lead",
    "same_kind_share",
    "same_kind_recent",
    "same_kind_misses",
    "sure_share",
    "pair_kind_share",
    "kinds_30",
    "kinds_300",
    "kinds_author",
    "kinds_alone_30",
    "kinds_alone_author",
    "folder_share",
    "added_share",
    "reverse_share",
    "reverse_recent_share",
    "rate_10",
    "rate_50",
    "rate_300",
    "age",
    "days",
    "changes",
    "author_rate",
    "author_last",
    "author_changes",
    "author_pair_share",
    "author_pair_count",
    "followed",
    "same_subject",
    "same_folder",
    "shared_words",
    "shared_path",
    "is_source",
    "is_test",
    "is_document",
    "is_notes",
    "is_settings",
    "rank",
    "commits",
)
"""The columns of ``Companions.table``, in their order."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a path says of a file."""

    source: bool
    test: bool
    document: bool
    notes: bool
    settings: bool
    subject: str
    folder: str
    words: frozenset[str]
    parts: tuple[str, ...]

    @property
    def flags(self) -> tuple[bool, bool, bool, bool, bool]:
        """What it is, in the order of the bits of ``FilePast.kinds_of``."""
        return self.source, self.test, self.document, self.notes, self.settings


@lru_cache(maxsize=1 << 16)
def kind_of(path: str) -> FileKind:
    conventions = conventions_of(path)
    source = is_source(path)
    stem = path.rpartition("/")[2].partition(".")[0]
    test = conventions.is_test(path)
    return FileKind(
        source=source and not test,
        test=test,
        document=bool(_DOCUMENTS.search(path)),
        notes=bool(_NOTES.search(path)) and not source,
        settings=bool(_SETTINGS.search(path)) or path.rpartition("/")[2] in conventions.settings,
        subject=conventions.subject(path) if source else stem.lower(),
        folder=path.rpartition("/")[0],
        words=frozenset(word.lower() for word in split_identifier(stem)),
        parts=tuple(path.split("/")[:-1]),
    )


class FilePast:
    """The commits of a history, oldest first, and the files that each changed, under their newest names."""

    def __init__(self, newest_first: Sequence[ChangedFiles]) -> None:
        names: dict[str, str] = {}  # an old path → the newest one of the same file
        numbers: dict[str, int] = {}
        rows: list[tuple[ChangedFiles, list[tuple[int, FileEvent]]]] = []
        moved: list[dict[str, str]] = []
        for commit in newest_first:
            for old, new in commit.renames:
                names[old] = names.get(new, new)
            touched: dict[int, FileEvent] = {}
            for file in commit.files:
                path = names.get(file.path, file.path)
                touched[numbers.setdefault(path, len(numbers))] = file.event
            if touched:
                rows.append((commit, list(touched.items())))
                moved.append({file.path: names[file.path] for file in commit.files if file.path in names})
        rows.reverse()
        self._moved = moved[::-1]
        self.commits: tuple[ChangedFiles, ...] = tuple(commit for commit, _ in rows)
        self.paths: tuple[str, ...] = tuple(numbers)
        self.number: Mapping[str, int] = numbers
        self.kinds = [kind_of(path) for path in self.paths]
        sizes = np.array([len(files) for _, files in rows], dtype=np.int64)
        self.start: Numbers = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.members: Numbers = np.array([file for _, files in rows for file, _ in files], dtype=np.int64)
        removed = np.array([event is FileEvent.REMOVED for _, files in rows for _, event in files], dtype=bool)
        added = np.array([event is FileEvent.ADDED for _, files in rows for _, event in files], dtype=bool)
        self.added = added
        ages = np.repeat(np.arange(len(rows)), sizes)
        order = np.lexsort((ages, self.members))
        bounds = np.searchsorted(self.members[order], np.arange(len(self.paths) + 1))
        self.changed_at = [ages[order[bounds[n] : bounds[n + 1]]] for n in range(len(self.paths))]
        self._removed = [removed[order[bounds[n] : bounds[n + 1]]] for n in range(len(self.paths))]
        self.dates: Numbers = np.array([commit.date for commit in self.commits], dtype=np.int64)
        authors: dict[str, list[int]] = {}
        for place, commit in enumerate(self.commits):
            authors.setdefault(commit.author, []).append(place)
        self.of_author = {author: np.array(places, dtype=np.int64) for author, places in authors.items()}
        source = np.array([kind.source for kind in self.kinds], dtype=np.int64)
        test = np.array([kind.test for kind in self.kinds], dtype=np.int64)
        self.kind_flags = np.array([kind.flags for kind in self.kinds], dtype=np.int64).reshape(-1, len(_BITS))
        self.kind_counts = _sums(self.kind_flags[self.members], self.start)
        self.kinds_of: Numbers = (self.kind_counts > 0) @ _BITS
        self.source_count = _sums(source[self.members], self.start)
        self.test_count = _sums(test[self.members], self.start)
        folders: dict[str, list[int]] = {}
        additions: dict[str, list[int]] = {}
        for place in range(len(rows)):
            files = range(int(self.start[place]), int(self.start[place + 1]))
            for folder in {self.kinds[self.members[at]].folder for at in files}:
                folders.setdefault(folder, []).append(place)
            for folder in {self.kinds[self.members[at]].folder for at in files if added[at]}:
                additions.setdefault(folder, []).append(place)
        self.of_folder = {folder: np.array(places, dtype=np.int64) for folder, places in folders.items()}
        self.added_in = {folder: np.array(places, dtype=np.int64) for folder, places in additions.items()}

    def exists(self, file: int, now: int) -> bool:
        """Whether a file was there before the commit at ``now``, as far as its changes tell."""
        places = self.changed_at[file]
        last = int(np.searchsorted(places, now)) - 1
        return last >= 0 and not self._removed[file][last]

    def names_in(self, place: int) -> Mapping[str, str]:
        """The files of the commit at ``place`` by their paths in it, and their newest names."""
        moved = self._moved[place]
        return {file.path: moved.get(file.path, file.path) for file in self.commits[place].files}

    def path_at(self, file: int, now: int) -> str:
        """The path that a file had before the commit at ``now``, as far as its changes tell."""
        places = self.changed_at[file]
        last = int(np.searchsorted(places, now)) - 1
        if last < 0:
            return self.paths[file]
        named = self.names_in(int(places[last]))
        return next((path for path, newest in named.items() if newest == self.paths[file]), self.paths[file])

    def of(self, places: Numbers) -> tuple[Numbers, Numbers]:
        """All files of these commits; and for each, which of ``places`` it is of."""
        sizes = self.start[places + 1] - self.start[places]
        which = np.repeat(np.arange(len(places)), sizes)
        offsets = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.members[np.repeat(self.start[places], sizes) + offsets], which


def _sums(values: Numbers, start: Numbers) -> Numbers:
    total = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)]) if len(values) else values
    return np.asarray(total[start[1:]] - total[start[:-1]], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Touched:
    """A change that is asked about: its paths, those of them that are new, whose it is, and when."""

    paths: tuple[str, ...]
    added: frozenset[str] = frozenset()
    author: str = ""
    date: int = 0


@dataclass(frozen=True, slots=True)
class Companions:
    """The candidates of one question, (N,), and what is known of each, (N, len(SIGNALS)).

    ``count``, ``asked``: of the changed file that most often changes with it, in so many of its newest commits.
    """

    files: Numbers
    table: NDArray[np.float32]
    count: Numbers
    asked: Numbers


def companions(past: FilePast, touched: Touched, now: int | None = None) -> Companions:
    """What is known of all files that ever changed with one of these. ``now``: only commits before it are past."""
    now = len(past.commits) if now is None else now
    known = [past.number[path] for path in touched.paths if path in past.number]
    asked_places = [_newest(past.changed_at[file], now) for file in known]
    useful = [n for n, places in enumerate(asked_places) if len(places)]
    lately = np.arange(max(0, now - OFTEN), now)
    together = distinct(np.concatenate([lately, *(asked_places[n] for n in useful)]).astype(np.int64))
    members, which = past.of(together)
    skip = set(known)
    files = np.array([f for f in distinct(members).tolist() if f not in skip and past.exists(f, now)], dtype=np.int64)
    width = len(files)
    if not width:
        nothing = np.zeros(0, dtype=np.int64)
        return Companions(nothing, np.zeros((0, len(SIGNALS)), np.float32), nothing, nothing)
    slot = np.full(len(past.paths), -1, dtype=np.int64)
    slot[files] = np.arange(width)
    column: dict[str, Floats | float] = {}

    # Commits like this one: what they changed besides.
    asked = np.zeros(len(past.paths), dtype=bool)
    asked[known] = True
    size = len(touched.paths)
    inter = np.bincount(which, weights=asked[members], minlength=len(together))
    sizes = (past.start[together + 1] - past.start[together]).astype(np.float64)
    fade = _faded(together, now)
    plain = _likeness(inter, size, sizes) * fade
    with_it = (inter / np.maximum(size + sizes - 1 - inter, 1)) ** 2 * fade
    place = slot[members]
    mine = place >= 0
    got = np.bincount(place[mine], weights=with_it[which[mine]], minlength=width)
    instead = np.bincount(place[mine], weights=plain[which[mine]], minlength=width)
    column["like_commits_share"] = got / (plain.sum() - instead + got + 0.1)
    chosen = _likest(together, plain)
    near = chosen[which] & mine
    column["likest_share"] = np.bincount(place[near], minlength=width) / (chosen.sum() + 1.0)
    column["likest_likeness"] = float(np.sqrt(plain.max())) if len(plain) else 0.0

    # Commits that changed all of this, and nothing else, or only the candidate besides.
    whole = inter >= size if size == len(known) else np.zeros(len(together), dtype=bool)
    holding = whole[which] & mine
    all_with = np.bincount(place[holding], minlength=width)
    column["all_count"] = float(whole.sum())
    column["all_share"] = all_with / (whole.sum() + 1.0)
    column["just_these"] = float((whole & (sizes == size)).sum())
    pair = holding & (sizes[which] == size + 1)
    column["just_with_it"] = np.bincount(place[pair], minlength=width).astype(np.float64)
    two = inter >= 2
    column["pairs_share"] = np.bincount(place[two[which] & mine], minlength=width) / (two.sum() + 1.0)

    # Each changed file for itself.
    best = np.zeros(width)
    best_count, best_asked = (np.zeros(width, dtype=np.int64) for _ in range(2))
    recent_best, mean, recent_mean, neither = np.zeros(width), np.zeros(width), np.zeros(width), np.ones(width)
    misses, hits, least = np.full(width, 99.0), np.zeros(width), np.full(width, 99.0)
    followed = np.zeros(width)
    sure, of_kinds = np.zeros(width), np.zeros(width)
    own_bits = past.kind_flags[files] @ _BITS
    kinds = [kind_of(path) for path in touched.paths]
    these = int(np.bitwise_or.reduce([0, *(int(np.array(kind.flags) @ _BITS) for kind in kinds)]))
    for n in useful:
        places = asked_places[n]
        theirs, of = past.of(places)
        theirs = slot[theirs]
        there = theirs >= 0
        rows, of = theirs[there], of[there]
        count = np.bincount(rows, minlength=width)
        back = (len(places) - 1 - of).astype(np.float64)  # 0: its newest commit
        weight = 0.5 ** (back / _HALF)
        total = (0.5 ** (np.arange(len(places)) / _HALF)).sum()
        share = count / (len(places) + 2.0)
        recent = np.bincount(rows, weights=weight, minlength=width) / (total + 0.5)
        since = np.full(width, 99.0)
        np.minimum.at(since, rows, back)
        sure = np.maximum(sure, at_least(count, len(places)))
        at = places[of]
        without = ((past.kind_counts[at] - past.kind_flags[files[rows]]) > 0) @ _BITS
        alike = past.kinds_of[places] == these
        kept = np.bincount(rows[without == these], minlength=width)
        left = alike.sum() - np.bincount(rows[alike[of]], minlength=width)
        of_kinds = np.maximum(of_kinds, kept / (kept + left + 1.0))
        better = share > best
        best_count[better], best_asked[better] = count[better], len(places)
        misses = np.where(better, since, misses)
        hits = np.where(better, count, hits)
        best = np.maximum(best, share)
        least = np.minimum(least, since)
        recent_best = np.maximum(recent_best, recent)
        mean += share / max(size, 1)
        recent_mean += recent / max(size, 1)
        neither *= 1 - share
        # Changed soon after, by whom: the next two commits of all.
        after = np.setdiff1d(places[-60:, None] + np.arange(1, 3), places)
        after = after[after < now]
        if len(after):
            later, _ = past.of(after)
            later = slot[later]
            followed = np.maximum(followed, np.bincount(later[later >= 0], minlength=width) / (len(places[-60:]) + 2.0))
    column |= {
        "best_share": best,
        "best_count": best_count.astype(np.float64),
        "best_asked": best_asked.astype(np.float64),
        "mean_share": mean,
        "either_share": 1 - neither,
        "best_recent_share": recent_best,
        "mean_recent_share": recent_mean,
        "best_misses": misses,
        "best_hits": hits,
        "least_misses": least,
        "followed": followed,
        "sure_share": sure,
        "pair_kind_share": of_kinds,
    }

    # Folders, and kinds of commits.
    def share_of(places: Numbers, prior: float = 2.0) -> Floats:
        inside, _ = past.of(places)
        inside = slot[inside]
        return np.bincount(inside[inside >= 0], minlength=width) / (len(places) + prior)

    nothing_found = np.zeros(width)
    folder_share, added_share = nothing_found, nothing_found
    for folder in sorted({path.rpartition("/")[0] for path in touched.paths}):
        if folder in past.of_folder:
            folder_share = np.maximum(folder_share, share_of(_newest(past.of_folder[folder], now)))
    for folder in sorted({path.rpartition("/")[0] for path in touched.added}):
        if folder in past.added_in:
            added_share = np.maximum(added_share, share_of(_newest(past.added_in[folder], now)))
    column["folder_share"], column["added_share"] = folder_share, added_share

    sources, tests = any(kind.source for kind in kinds), any(kind.test for kind in kinds)
    window = np.arange(max(0, now - 300), now)
    inside, of = past.of(window)
    mask = slot[inside] >= 0
    rows, of = slot[inside][mask], of[mask]
    own_source = np.array([past.kinds[f].source for f in files.tolist()], dtype=np.int64)
    own_test = np.array([past.kinds[f].test for f in files.tolist()], dtype=np.int64)
    source_left, test_left = past.source_count[window], past.test_count[window]
    same = ((source_left > 0) == sources) & ((test_left > 0) == tests)  # of commits without the candidate
    same_with = ((source_left[of] - own_source[rows] > 0) == sources) & ((test_left[of] - own_test[rows] > 0) == tests)
    same_kind = np.bincount(rows[same_with], minlength=width)
    without = same.sum() - np.bincount(rows[same[of]], minlength=width)
    column["same_kind_share"] = same_kind / (same_kind + without + 2.0)
    newer = (np.cumsum(same[::-1])[::-1] - same)[of[same_with]].astype(np.float64)  # commits of the kind since then
    lately_with = newer < _FEW
    column["same_kind_recent"] = np.bincount(rows[same_with][lately_with], minlength=width) / (_FEW + 1.0)
    since_kind = np.full(width, 99.0)
    np.minimum.at(since_kind, rows[same_with], newer)
    column["same_kind_misses"] = since_kind
    ago = now - 1 - window[of]
    for span in (10, 50, 300):
        column[f"rate_{span}"] = np.bincount(rows[ago < span], minlength=width) / min(span, max(now, 1))

    # The candidate's own past.
    changed = [past.changed_at[f][: np.searchsorted(past.changed_at[f], now)] for f in files.tolist()]
    last = np.array([places[-1] for places in changed])
    column["age"] = (now - last).astype(np.float64)
    date = touched.date or int(past.dates[now - 1])
    column["days"] = np.maximum(date - past.dates[last], 0) / 86_400.0
    column["changes"] = np.array([len(places) for places in changed], dtype=np.float64)
    touching = np.zeros(len(past.commits) + 1, dtype=bool)
    for n in useful:
        touching[asked_places[n]] = True
    column["reverse_share"] = np.array([touching[p[-RECENT:]].mean() if len(p) else 0.0 for p in changed])
    column["reverse_recent_share"] = np.array([touching[p[-8:]].sum() / (min(len(p), 8) + 1.0) for p in changed])
    own = past.of_author.get(touched.author, np.zeros(0, dtype=np.int64))
    own = own[: np.searchsorted(own, now)]
    for name, places in (("30", window[-30:]), ("300", window), ("author", own[-30:])):
        masks = past.kinds_of[places]
        alone = int((masks == these).sum())
        besides = np.bincount(masks, minlength=1 << len(_BITS))[these | own_bits]
        column[f"kinds_{name}"] = np.where((these | own_bits) == these, 0.5, besides / (besides + alone + 1.0))
        if name != "300":
            column[f"kinds_alone_{name}"] = alone / (len(places) + 1.0)
    paired = own[np.isin(own, np.concatenate([np.zeros(0, np.int64), *(asked_places[n] for n in useful)]))]
    column["author_pair_share"], column["author_pair_count"] = share_of(paired), float(len(paired))
    column["author_changes"] = float(min(len(own), 50))
    column["author_rate"] = share_of(own[-30:])
    author_last = np.full(width, 99.0)
    if len(own):
        theirs, of = past.of(own[-30:])
        theirs = slot[theirs]
        np.minimum.at(author_last, theirs[theirs >= 0], (min(len(own), 30) - 1 - of[theirs >= 0]).astype(np.float64))
    column["author_last"] = author_last

    # Paths.
    subjects = {kind.subject for kind in kinds}
    folders = {kind.folder for kind in kinds}
    own_kinds = [past.kinds[f] for f in files.tolist()]
    column |= {
        "same_subject": np.array([float(kind.subject in subjects) for kind in own_kinds]),
        "same_folder": np.array([float(kind.folder in folders) for kind in own_kinds]),
        "shared_words": np.array(
            [max((_overlap(kind.words, k.words) for k in kinds), default=0) for kind in own_kinds]
        ),
        "shared_path": np.array(
            [max((_beginning(kind.parts, k.parts) for k in kinds), default=0) for kind in own_kinds]
        ),
        "is_source": np.array([float(kind.source) for kind in own_kinds]),
        "is_test": np.array([float(kind.test) for kind in own_kinds]),
        "is_document": np.array([float(kind.document) for kind in own_kinds]),
        "is_notes": np.array([float(kind.notes) for kind in own_kinds]),
        "is_settings": np.array([float(kind.settings) for kind in own_kinds]),
    }
    column |= {
        "changed_files": float(size),
        "changed_known": float(len(useful)),
        "changed_added": float(len(touched.added)),
        "changed_source": float(sum(kind.source for kind in kinds)),
        "changed_tests": float(sum(kind.test for kind in kinds)),
        "changed_documents": float(sum(kind.document for kind in kinds)),
        "changed_notes": float(sum(kind.notes for kind in kinds)),
        "changed_settings": float(sum(kind.settings for kind in kinds)),
        "rank": np.argsort(np.argsort(-np.asarray(column["like_commits_share"]))).astype(np.float64),
        "commits": float(now),
    }
    like, recent_shares = np.asarray(column["like_commits_share"]), np.asarray(column["mean_recent_share"])
    column["most_share"], column["most_like_share"] = float(recent_shares.max()), float(like.max())
    others = np.sort(like)[::-1][:2] if width > 1 else np.array([like[0], 0.0])
    column["lead"] = like - np.where(like >= others[0], others[1], others[0])  # before the best of the others
    table = np.stack([np.broadcast_to(np.asarray(column[name], np.float32), (width,)) for name in SIGNALS], 1)
    kept = _shortlist(table)
    return Companions(files[kept], np.ascontiguousarray(table[kept]), best_count[kept], best_asked[kept])


def commits_like(past: FilePast, touched: Touched) -> Numbers:
    """The commits most like a change by their files, at most ``LIKEST``: those that ``likest_share`` is of."""
    known = [past.number[path] for path in touched.paths if path in past.number]
    now = len(past.commits)
    places = [np.zeros(0, np.int64), *(_newest(past.changed_at[file], now) for file in known)]
    together = distinct(np.concatenate(places))
    members, which = past.of(together)
    inter = np.bincount(which, weights=np.isin(members, known), minlength=len(together))
    sizes = (past.start[together + 1] - past.start[together]).astype(np.float64)
    return together[_likest(together, _likeness(inter, len(touched.paths), sizes) * _faded(together, now))]


def _likeness(inter: Numbers | Floats, size: int, sizes: Floats) -> Floats:
    """The share of the files of both, squared, that are in both."""
    return np.asarray((inter / (size + sizes - inter)) ** 2)


def _faded(places: Numbers, now: int) -> Floats:
    return np.asarray(0.5 ** ((now - 1 - places) / 500.0))


def _likest(places: Numbers, likeness: Floats) -> NDArray[np.bool_]:
    order = np.lexsort((places, likeness))[::-1][:LIKEST]
    chosen = np.zeros(len(places), dtype=bool)
    chosen[order[likeness[order] > 0]] = True
    return chosen


def _shortlist(table: NDArray[np.float32]) -> Numbers:
    """The rows that lead in one of some columns: the others are nowhere near."""
    kept = [np.argsort(-table[:, SIGNALS.index(name)], kind="stable")[:LEADING] for name in _LEADING]
    return distinct(np.concatenate(kept))


def at_least(count: Numbers, of: int | Numbers) -> Floats:
    """The lower end of Wilson's interval of 90 % for a share."""
    z = 1.645
    share = count / of
    spread = z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return np.asarray((share + z * z / (2 * of) - spread) / (1 + z * z / of))


def _newest(places: Numbers, now: int) -> Numbers:
    end = int(np.searchsorted(places, now))
    return places[max(0, end - RECENT) : end]


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _beginning(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared / max(len(one), len(other), 1)
