"""Writes what the packages in ``web/`` are built from and tested with, into ``build/web``; ``scripts/web.sh`` runs it.

    .venv/bin/python scripts/web_data.py tables     tables.json: the vocabulary, and what else Python says of Python
    .venv/bin/python scripts/web_data.py vectors    vectors.json: what Python makes of 2,000 definitions and 400 edits
    .venv/bin/python scripts/web_data.py gallery    gallery.json and gallery.bin: this repository's own past edits;
                                                    presets.json: some of them to begin with

The definitions are those of this repository and of Python's standard library, whole and damaged. The gallery holds
edits of the history; in a shallow clone these are few.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.explore.projection import project
from codewm_lsp.hints.engine import BEHIND_A_LENS, CLOSE, HintOptions
from codewm_lsp.history import Chain, Commit, Edit, EditKind, Repository, chains
from codewm_lsp.index import Hit, PastEdit, reranker
from codewm_lsp.index.blend import Blend
from codewm_lsp.index.edit_words import counts, place_words, term, terms, words_of_edit
from codewm_lsp.index.whitening import Whitening, sample
from codewm_lsp.source import (
    TOKENISER_VERSION,
    VOCABULARY_HASH,
    DefinitionKind,
    LeafRole,
    parse_definitions,
    tokenize,
    vocabulary,
)
from codewm_lsp.source.definitions import MAX_DEFINITIONS, MAX_TEXT
from codewm_lsp.source.languages import PYTHON, python, python_lines
from codewm_lsp.source.tokens import MAX_DEPTH, MAX_LEAVES
from codewm_lsp.source.words import MAX_WORD
from codewm_lsp.stores.scoring import Bag, StoreQuery, TermCounts
from codewm_lsp.world_model import WorldModel, features, model

ROOT: Final = Path(__file__).resolve().parents[1]
OUTPUT: Final = ROOT / "build" / "web"
SEED: Final = 17
DEFINITIONS: Final = 2_000
DAMAGED: Final = 500
EDITS: Final = 400
ROLLED: Final = 3  # steps
SIMILAR: Final = 600  # made edits that are searched
ASKED: Final = 60  # and others that are asked about
SHOWN: Final = 6  # past edits that a page shows
GALLERY: Final = 2_150
NEWEST: Final = 1_000  # edits of the gallery; the others are spread over the rest of the history
LARGEST: Final = 6_000  # characters of an edit in the gallery
PRESETS: Final = 6  # those with the likeliest past edits
CANDIDATES: Final = 24  # for them, the newest
LARGEST_PRESET: Final = 3_000  # characters of the edit of a preset
LARGEST_FILE: Final = 9_000  # characters of a preset's file
SIBLINGS: Final = 4  # definitions of a preset's file
LEVELS: Final = 7  # of int4, above 0
FORMAT: Final = 2  # of a gallery
SAME: Final = 0.9  # likeness of vectors of four bits of equal edits; others of the same words come to .83
SMALL: Final = '''\
"""Settings, kept in a file of JSON."""

import json
from pathlib import Path


def read(path: Path) -> str:
    """The text of a file."""
    return path.read_text()


def write(path: Path, text: str) -> None:
    """Replace the text of a file."""
    path.write_text(text)


def load(path: Path) -> dict[str, object]:
    """The settings in a file."""
    return json.loads(read(path))
'''  # of the preset that a visitor sees first
SIGNS: Final = "([{\"'\\:@=.é"

SPECIAL: Final = (
    "",
    "\n",
    "def",
    "def f(",
    "def f():\n    return '",
    'def f():\n    """Never closed\n    x = 1\n\ndef g(y):\n    return y\n',
    "x = [1,\n\ndef after_a_bracket(x):\n    pass\n",
    "class A:\n    def m(self):\n        0\n\n    @property\n    def m(self):\n        return 2\n\n    def m(x): 0\n",
    "@decorated(\n    'twice'\n)\nasync def f(*args: int, **kwargs) -> None:\n    await g(args[0], key=kwargs)\n",
    "if x:\n\tdef tabbed():\n\t\tpass\n        # less\n    else: pass\n",
    "def naïve_größe(変数: Größe = 'ß', *, π=3.14):\n    '''Über ﬁ und İstanbul.'''\n    return f'{変数!r:>{π}} 🐍'\n",
    "def 🐍(): pass\nx² = ١٢٣ + Ⅷ\n\udc80\n",
    "\ufeffimport os\r\nclass C(Base, metaclass=M):\r\n    x: int = 0x_FF\r\n",
    "<<<<<<< ours\ndef f(): return 1\n=======\ndef f(): return 2\n>>>>>>> theirs\n",
    "a = b = 1 if c else lambda *x, y=2: (x, y)\nprint >>f, 'two'\nexec 'x'\n",
    "match p:\n    case Point(x=0, y=[1, *_]) | {'k': v, **r} if v: pass\n    case _: raise E from e\n",
    "x = '''a\\\n\\'b''' \"\\N{BULLET}\\x41\\u00e9\" rb'\\d'\n",
    "x = \\\n" + "\\\n" * 250 + "1\n",
    "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# only comments: see getHTTPResponse_2\n",
)


def tables() -> dict[str, Any]:
    """What the engine must not spell out again."""
    nodes, lines = PYTHON.nodes, python_lines
    return {
        "tokeniserVersion": TOKENISER_VERSION,
        "vocabularyHash": VOCABULARY_HASH,
        "featuresVersion": features.FEATURES_VERSION,
        "special": {
            "pad": vocabulary.PAD,
            "start": vocabulary.START,
            "unknown": vocabulary.UNKNOWN,
            "error": vocabulary.ERROR,
        },
        "nodeIds": vocabulary.NODE_IDS,
        "syntaxIds": vocabulary.SYNTAX_IDS,
        "firstIdentifier": vocabulary.FIRST_IDENTIFIER,
        "identifierBuckets": vocabulary.IDENTIFIER_BUCKETS,
        "roles": [role.name.lower() for role in LeafRole],
        "nodes": {
            **{
                name: getattr(nodes, name)
                for name in ("comment", "identifier", "string", "statement", "roles", "fields")
            },
            **{
                name: sorted(getattr(nodes, name))
                for name in ("texts", "literals", "numbers", "hidden", "closed", "transparent", "bodies", "parameters")
            },
        },
        "parts": PYTHON.parts,
        "lines": {
            "header": lines.HEADER.pattern.decode("latin-1"),
            "certainLine": lines.CERTAIN_LINE.pattern.decode("latin-1"),
            "compound": lines.COMPOUND.pattern.decode("latin-1"),
            "token": lines.TOKEN.pattern.decode("latin-1"),
            "statement": PYTHON.headers.statement(64).pattern.decode("latin-1"),
        },
        "limits": {
            "text": MAX_TEXT,
            "definitions": MAX_DEFINITIONS,
            "leaves": MAX_LEAVES,
            "depth": MAX_DEPTH,
            "word": MAX_WORD,
            "changed": features.MAX_CHANGED,
            "context": features.MAX_CONTEXT,
            "structure": features.MAX_STRUCTURE,
            "stateWords": model.STATE_WORDS,
            "recent": model.RECENT,
        },
        "identities": features.IDENTITIES,
        "levels": features.LEVELS,
        "digits": "".join(one for one in map(chr, range(sys.maxunicode)) if one.isdigit() and not one.isdecimal()),
        "sourceSuffix": PYTHON.suffixes[0],
        "blend": {name: getattr(Blend(), name) for name in ("meaning", "signed", "unsigned", "place")},
        "reranker": ranking(),
        "tests": {
            "prefix": python.TEST_PREFIX,
            "endings": python.TEST_ENDINGS,
            "stems": python.TEST_STEMS,
            "folders": python.TEST_FOLDERS,
            "suffix": PYTHON.suffixes[0],
        },
        "kinds": [kind.value for kind in EditKind],
        "lens": {"threshold": HintOptions().similar_threshold, "close": CLOSE, "behind": BEHIND_A_LENS},
    }


def ranking() -> dict[str, Any]:
    """The network that ranks similar edits, as the package holds it. Raises ValueError where it holds none."""
    found = reranker.learnt()
    if found.problem:
        raise ValueError(found.problem)
    return {
        "relations": reranker.RELATIONS,
        **{
            name: [float(str(one)) for one in getattr(found.reranker, name).ravel()]  # as few digits as tell them apart
            for name in ("weights", "bias", "output")
        },
        "offset": found.reranker.offset,
        "considered": reranker.CONSIDERED,
        "step": reranker.STEP,
        "certain": reranker.CERTAIN,
        "same": reranker.SAME,
        "plain": reranker.PLAIN,
    }


def vectors(definitions: int = DEFINITIONS, edits: int = EDITS) -> dict[str, Any]:
    """What Python makes of some texts, for the engine to be held against."""
    chance = random.Random(SEED)
    whole = sources(chance, definitions)
    damaged = [damage(text, chance) for text in chance.sample(whole, min(DAMAGED, definitions // 4))]
    world = WorldModel.load()
    texts = [*whole, *damaged, *SPECIAL]
    pairs = [(text, damage(text, chance)) for text in chance.sample(whole, edits)]
    pairs += [(text, "") for text in whole[:10]] + [("", text) for text in whole[10:20]]
    pairs += [
        ("\n".join(whole[i : i + 4]), "\n".join([*whole[i : i + 3], damage(whole[i + 3], chance)]))
        for i in range(20, 40)
    ]
    common = world.bundle.common.ranks()
    return {
        "texts": [text_vector(text, state) for text, state in zip(texts, world.structure_states(texts), strict=True)],
        "edits": [
            edit_vector(pair, vector, common) for pair, vector in zip(pairs, world.embed_edits(pairs), strict=True)
        ],
        "next": [next_vector(world, pairs[i : i + 9], whole[i : i + 5]) for i in range(0, 100, 10)],
        "rollOuts": [roll_out(world, text, pairs[i : i + ROLLED]) for i, text in enumerate(whole[:20])],
        "whitening": whitening_vector(chance),
        "similar": similar_vectors(world, whole, chance),
    }


def text_vector(text: str, state: NDArray[np.float32]) -> dict[str, Any]:
    """Tokens, definitions and state of a text."""
    tokens = tokenize(text)
    return {
        "text": text,
        "ids": tokens.ids,
        "depths": tokens.depths,
        "leaves": [[leaf.text, int(leaf.role), leaf.line] for leaf in tokens.leaves],
        "definitions": [
            [one.name, one.kind.value, one.line, one.start, one.end, one.source] for one in parse_definitions(text)
        ],
        "state": packed(state),
    }


def edit_vector(pair: tuple[str, str], vector: NDArray[np.float32], common: dict[int, int]) -> dict[str, Any]:
    """What is read of an edit, and what is made of it."""
    found = features.edit_features(*pair, common)
    return {
        "before": pair[0],
        "after": pair[1],
        "vector": packed(vector),
        "action": packed(found.action),
        "largest": [found.before, found.after],
        "changed": list(zip(found.changed.keys, found.changed.role.tolist(), strict=True)),
        "context": list(zip(found.context.keys, found.context.role.tolist(), strict=True)),
    }


def next_vector(world: WorldModel, pairs: Sequence[tuple[str, str]], texts: Sequence[str]) -> dict[str, Any]:
    """What is expected on some definitions after some edits."""
    recent = world.embed_edits(pairs[:6])
    found = world.predict_next(texts, recent)
    return {
        "texts": texts,
        "recent": [packed(edit) for edit in recent],
        "vectors": [packed(edit) for edit in found.edits],
        "logits": found.logits.tolist(),
        "actions": [packed(action) for action in found.actions],
    }


def roll_out(world: WorldModel, text: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The states after one action after the other."""
    common = world.bundle.common.ranks()
    actions = [features.edit_features(*pair, common).action for pair in pairs]
    state = world.structure_states([text])
    states = []
    for action in actions:
        state = world.advance(state, action[None])
        states.append(packed(state[0]))
    return {"text": text, "actions": [packed(action) for action in actions], "states": states}


def whitening_vector(chance: random.Random) -> dict[str, Any]:
    """A gallery of random edits, one of these as the query, and the products."""
    random_numbers = np.random.default_rng(chance.randrange(1 << 30))
    rows = random_numbers.normal(size=(160, 768)) + 3 * random_numbers.normal(size=768)
    codes, scales = quantised((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    stored = (codes * scales[:, None]).astype(np.float32)
    query = Whitening.of(stored[sample(len(stored))]).query(stored[7])
    return {
        "gallery": described([{"path": "", "definition": ""}] * len(rows), [{}] * len(rows)),
        "bytes": packed(gallery_bytes([{}] * len(rows), codes, scales)),
        "query": packed(stored[7]),
        "products": (stored @ query).tolist(),
    }


class Collection(NamedTuple):
    """Past edits that are all looked at: as a store that does so answers, which is as an index does."""

    rows: list[PastEdit]
    words: list[dict[str, int]]
    bags: list[Bag]
    places: list[Bag]
    present: TermCounts

    @classmethod
    def of(cls, past: Sequence[Edit]) -> Collection:
        words = [words_of_edit(edit) for edit in past]
        present = TermCounts(
            len(past),
            Counter(term(word) for own in words for word in own),
            Counter(term(word) for edit in past for word in place_words(edit.path, edit.definition)),
        )
        return cls(
            [
                PastEdit(number, edit.commit, edit.path, edit.definition, edit.definition_kind, edit.kind, edit.line)
                for number, edit in enumerate(past)
                if edit.commit is not None
            ],
            words,
            [Bag.of(terms(own).tolist(), counts(own), present.words, len(past)) for own in words],
            [Bag.of_place(edit.path, edit.definition, present, _itself) for edit in past],
            present,
        )

    def ranked(
        self, edit: Edit, products: NDArray[np.float32], allowed: Callable[[PastEdit], bool] = lambda past: True
    ) -> list[Hit]:
        """The past edits that are allowed, best first; ``products``: of the vectors of all with that of the edit."""
        question = StoreQuery.of(edit, self.present, _itself)
        return question.ranked(
            [
                one
                for row, own, place, product in zip(self.rows, self.bags, self.places, products.tolist(), strict=True)
                if allowed(row) and (one := question.compared(row, own, place, product)) is not None
            ],
            Blend(),
        )


def _itself(found: NDArray[np.uint64]) -> list[int]:
    return [int(one) for one in found]


def similar_vectors(world: WorldModel, texts: Sequence[str], chance: random.Random) -> dict[str, Any]:
    """Made edits as a gallery, some more that are asked about, and how these are answered."""
    made = [made_edit(number, text, chance) for number, text in enumerate(texts[: SIMILAR + ASKED])]
    made = [edit for edit in made if edit.before != edit.after]
    past, asked = made[:-ASKED], made[-ASKED:]
    embedded = world.embed_edits([(edit.before, edit.after) for edit in past])
    codes, scales = quantised(embedded)
    stored = (codes * scales[:, None]).astype(np.float32)
    collection = Collection.of(past)
    measures = [(kept, Whitening.of(kept[sample(len(kept))])) for kept in (stored, embedded)]
    answers = []
    for edit, vector in zip(asked, world.embed_edits([(edit.before, edit.after) for edit in asked]), strict=True):
        hits, unrounded = (collection.ranked(edit, kept @ measure.query(vector)) for kept, measure in measures)
        answers.append(
            {
                "before": edit.before,
                "after": edit.after,
                "path": edit.path,
                "definition": edit.definition,
                "entries": [hit.edit.id for hit in hits],
                "scores": [hit.score for hit in hits],
                "unrounded": [hit.edit.id for hit in unrounded[:SHOWN]],
            }
        )
    return {
        "gallery": described(entries(past), collection.words),
        "bytes": packed(gallery_bytes(collection.words, codes, scales)),
        "answers": answers,
    }


def made_edit(number: int, text: str, chance: random.Random) -> Edit:
    """An edit of a definition somewhere: modified, added or removed."""
    definition = next(iter(parse_definitions(text)), None)
    kind = chance.choices(list(EditKind), weights=[2, 6, 1])[0]
    folder = chance.choice(("src/client", "src/server", "tests", "lib/Testing", "."))
    file = chance.choice(("http.py", "test_http.py", "wire_test.py", "conftest.py", "Models.py", "types.pyi"))
    name = definition.name if definition is not None else f"made_{number}"
    return Edit(
        path=f"{folder}/{file}".removeprefix("./"),
        definition=chance.choice((name, f"Client.{name}", f"Client.Inner.{name}#2")),
        definition_kind=definition.kind if definition is not None else DefinitionKind.FUNCTION,
        kind=kind,
        before="" if kind is EditKind.ADDED else text,
        after="" if kind is EditKind.REMOVED else text if kind is EditKind.ADDED else damage(text, chance),
        line=0,
        previous_path=None,
        commit=Commit(f"{number:040x}", "Ada", 1_700_000_000 - 60 * (number // 4), f"Change {number}", None),
    )


def sources(chance: random.Random, count: int) -> list[str]:
    """Own texts of definitions of this repository and of the standard library."""
    library = Path(sysconfig.get_paths()["stdlib"])
    files = [*sorted(ROOT.glob("*/**/*.py")), *sorted(library.glob("*.py")), *sorted(library.glob("*/*.py"))]
    files = [file for file in files if not {".venv", "build", "node_modules", "site-packages"} & set(file.parts)]
    chance.shuffle(files)
    found: dict[str, None] = {}
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        own = [one.source for one in parse_definitions(text) if one.source.strip()]
        found.update(dict.fromkeys(chance.sample(own, min(len(own), 12))))
        if len(found) >= count:
            break
    return list(islice(found, count))


def damage(text: str, chance: random.Random) -> str:
    """The text as somebody leaves it in the middle of an edit."""
    lines = text.split("\n")
    place = chance.randrange(len(lines))
    line = lines[place]
    column = chance.randrange(len(line) + 1)
    indent = line[: len(line) - len(line.lstrip())]
    ways: list[Callable[[], list[str]]] = [
        lambda: [*lines[:place], *lines[place + 1 :]],
        lambda: [*lines[:place], line[:column], *lines[place + 1 :]],
        lambda: [
            *lines[: place + 1],
            f"{indent}self.größe = compute_total(self.größe, limit=10)  # new",
            *lines[place + 1 :],
        ],
        lambda: [one.replace("self", "this") for one in lines],
        lambda: [
            *lines[:place],
            line[:column] + chance.choice(list("([{\"'\\:@=.é")) + line[column:],
            *lines[place + 1 :],
        ],
        lambda: [*lines[:place], *(f"    {one}" if one else one for one in lines[place:])],
        lambda: ["", *lines[place:], *lines[:place]],
        lambda: [*lines[:place], f'{indent}"""Half a docstring', *lines[place:]],
        lambda: [*lines[:place], f"{indent}if ready and not done:", f"{indent}    return None", *lines[place:]],
    ]
    return "\n".join(chance.choice(ways)())


def gallery() -> tuple[dict[str, Any], bytes, list[dict[str, Any]]]:
    """Past edits of this repository: a description, numbers, and the edits to begin with."""
    repository = Repository.open(ROOT)
    commits = list(repository.commits())
    edits = chosen([edit for commit in commits for edit in commit.edits if is_readable(edit)])
    world = WorldModel.load()
    embedded = world.embed_edits([(edit.before, edit.after) for edit in edits])
    collection = Collection.of(edits)
    codes, scales = quantised(embedded)
    description = described(entries(edits), collection.words)
    description["same"] = SAME
    description["map"] = project(embedded).positions.astype(float).round(4).tolist()
    return (
        description,
        gallery_bytes(collection.words, codes, scales),
        [
            small_example(max((edit.commit.date for edit in edits if edit.commit is not None), default=0)),
            *likeliest(world, presets(repository, chains(commits)), collection, embedded),
        ],
    )


def small_example(newest: int) -> dict[str, Any]:
    """An edit made to be read at a glance: no history went on from there, and all past edits are older than it."""
    return {
        "title": "a small example, which reads a file as UTF-8",
        "commit": "",
        "time": newest + 1,
        "path": "settings.py",
        "definition": "read",
        "before": SMALL,
        "after": SMALL.replace("path.read_text()", 'path.read_text(encoding="utf-8")'),
        "next": [],
    }


def chosen(edits: Sequence[Edit]) -> list[Edit]:
    """The newest edits, and of all others as many, evenly spread, so that older ones have a past as well."""
    if len(edits) <= GALLERY:
        return list(edits)
    places = np.linspace(NEWEST, len(edits) - 1, GALLERY - NEWEST).astype(int)
    return [*edits[:NEWEST], *(edits[place] for place in places)]


def likeliest(
    world: WorldModel,
    begun: Sequence[tuple[Edit, dict[str, Any]]],
    collection: Collection,
    embedded: NDArray[np.float32],
) -> list[dict[str, Any]]:
    """Of the presets those whose best past edit is the likeliest, as an editor finds it."""
    rows = sample(len(embedded))
    measure = Whitening.of(embedded[rows]) if len(rows) else None
    chances = []
    vectors = world.embed_edits([(edit.before, edit.after) for edit, _ in begun])
    for (edit, _), vector in zip(begun, vectors, strict=True):
        products = embedded @ (measure.query(vector) if measure else vector)
        hits = collection.ranked(edit, products, partial(is_past, edit))
        chances.append(hits[0].score if hits else 0.0)
    order = sorted(range(len(begun)), key=lambda number: -chances[number])
    return [begun[number][1] for number in order[:PRESETS]]


def is_past(edit: Edit, past: PastEdit) -> bool:
    """Whether an editor would have found a past edit when this one was made."""
    assert edit.commit is not None
    return past.commit.date < edit.commit.date and (past.path, past.definition) != (edit.path, edit.definition)


def is_readable(edit: Edit) -> bool:
    """Whether it is of a single definition, and short enough for a visitor to read."""
    return 0 < len(edit.before) + len(edit.after) <= LARGEST and edit.definition != "<module>"


def presets(repository: Repository, past: Sequence[Chain]) -> list[tuple[Edit, dict[str, Any]]]:
    """Edits to begin with, in files that are short, of definitions that were then edited three times more.

    Of the commit only this edit is taken."""
    found: dict[str, tuple[Edit, dict[str, Any]]] = {}
    for chain in reversed(past):
        edits = [edit for edit in chain.edits if edit.before and edit.after][-1 - ROLLED :]
        first = edits[0] if len(edits) > ROLLED else None
        if first is None or first.commit is None or first.commit.parent is None or first.path in found:
            continue
        if not all(is_readable(edit) for edit in edits) or len(first.before) + len(first.after) > LARGEST_PRESET:
            continue
        before = repository.text_at(first.commit.parent, first.previous_path or first.path)
        if before is None or len(before) > LARGEST_FILE or before.count(first.before) != 1:
            continue
        if len(parse_definitions(before)) > SIBLINGS:
            told = {
                "title": first.commit.subject,
                "commit": first.commit.sha[:12],
                "time": first.commit.date,
                "path": first.path,
                "definition": first.definition,
                "before": before,
                "after": before.replace(first.before, first.after),
                "next": [
                    {"subject": edit.commit.subject if edit.commit else "", "before": edit.before, "after": edit.after}
                    for edit in edits[1:]
                ],
            }
            found[first.path] = first, told
        if len(found) == CANDIDATES:
            break
    return list(found.values())


def entries(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    """What there is to read of past edits."""
    return [
        {
            "commit": edit.commit.sha[:12],
            "subject": edit.commit.subject,
            "author": edit.commit.author,
            "time": edit.commit.date,
            "path": edit.path,
            "definition": edit.definition,
            "kind": edit.kind.value,
            "before": edit.before,
            "after": edit.after,
        }
        for edit in edits
        if edit.commit is not None
    ]


def described(edits: Sequence[dict[str, Any]], words: Sequence[dict[str, int]]) -> dict[str, Any]:
    """What of a gallery is text."""
    return {
        "format": FORMAT,
        "size": len(words),
        "entries": edits,
        "words": every_word(words),
        "terms": sum(map(len, words)),
    }


def every_word(words: Sequence[dict[str, int]]) -> list[str]:
    """The words of all edits, each once; the numbers of a gallery's terms are places in this list."""
    return sorted({word for own in words for word in own})


def gallery_bytes(words: Sequence[dict[str, int]], codes: NDArray[np.int8], scales: NDArray[np.float32]) -> bytes:
    """What of it is numbers: how many edits and terms, scales, where the terms of each edit begin, terms, counts, and
    codes of four bits."""
    numbers = {word: number for number, word in enumerate(every_word(words))}
    bounds = np.cumsum([0, *map(len, words)])
    every = np.array([numbers[word] for own in words for word in own], "<u2")
    changes = np.array([count for own in words for count in own.values()], "i1")
    nibbles = codes.astype(np.uint8) & 15
    halves = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    return b"".join(
        array.tobytes()
        for array in (
            np.array([len(words), len(every)], "<u4"),
            scales.astype("<f4"),
            bounds.astype("<u4"),
            every,
            changes,
            halves.astype(np.uint8),
        )
    )


def quantised(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Each row as whole numbers from -7 to 7 times a scale, which is the best of some."""
    largest = np.abs(rows).max(1, keepdims=True)
    best = np.full(len(rows), np.inf)
    codes = np.zeros(rows.shape, np.int8)
    scales = np.ones(len(rows), np.float32)
    for share in np.linspace(0.3, 1, 15):
        scale = np.maximum(largest * share / LEVELS, 1e-12)
        tried = np.clip(np.rint(rows / scale), -LEVELS, LEVELS)
        error = np.square(tried * scale - rows).sum(1)
        better = error < best
        best[better], codes[better], scales[better] = error[better], tried[better], scale[better, 0]
    return codes, scales


def packed(numbers: NDArray[Any] | bytes) -> str:
    """float32 as base64."""
    data = numbers if isinstance(numbers, bytes) else np.asarray(numbers, "<f4").tobytes()
    return base64.b64encode(data).decode("ascii")


def write(name: str, content: Any) -> None:
    """A file of the output folder."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode("utf-8")
    (OUTPUT / name).write_bytes(data)
    print(f"{OUTPUT.relative_to(ROOT) / name}: {len(data):,} bytes")


def main(arguments: Sequence[str]) -> int:
    """Write what is named."""
    for what in arguments:
        if what == "tables":
            write("tables.json", tables())
        elif what == "vectors":
            write("vectors.json", vectors())
        elif what == "gallery":
            description, numbers, first = gallery()
            write("gallery.json", description)
            write("gallery.bin", numbers)
            write("presets.json", first)
        else:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
