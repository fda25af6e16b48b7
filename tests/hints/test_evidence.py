"""The past edits behind a prediction: what a lens cites is a fact of its own place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from codewm_lsp.hints import Engine, Hint, HintKind, HintOptions
from codewm_lsp.hints.answers import JOINT
from codewm_lsp.hints.supporting import _named_once
from codewm_lsp.index import Dismissal, Scope
from codewm_lsp.index.related import RELATIONS
from codewm_lsp.ranking.evidence_scorer import EvidenceScorer

SHOP = """\
def fetch(page):
    return get(page{a})


def store(page):
    return put(page{b})


def count(items):
    return {c}
"""


def shop(*, a: str = "", b: str = "", c: str = "len(items)") -> str:
    return SHOP.format(a=a, b=b, c=c)


def test_the_commit_that_changed_both_comes_first_and_is_named(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"shop.py": shop()})
    both = repository.commit("Retry requests", {"shop.py": shop(a=", retries=2", b=", retries=2")})
    repository.commit("Count lazily", {"shop.py": shop(a=", retries=2", b=", retries=2", c="sum(1 for _ in items)")})
    text = shop(a=", retries=3", b=", retries=2", c="sum(1 for _ in items)")
    repository.write("shop.py", text)
    asking = open_engine(repository.path)
    editing = asking.repository.working_edits()
    found = {one.definition: one for one in asking.next(editing, k=0)}

    first = found["store"].evidence[0]
    assert (first.edit.commit.sha, first.edit.definition) == (both, "store")
    assert [reason.words for reason in first.reasons] == ["changed with fetch"]
    # count never changed together with fetch, but for the commit that began the file
    assert all(reason.name != "joint change" for one in found["count"].evidence for reason in one.reasons)

    asking.index.dismissals.add(Dismissal(Scope.COMMIT, both))
    hidden = {one.definition: one for one in asking.next(editing, k=0)}
    assert all(one.edit.commit.sha != both for one in hidden["store"].evidence)


def test_a_past_edit_is_named_where_it_is_like_the_edit_in_progress_and_listed_where_it_is_not(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"shop.py": shop()})
    repository.commit("Retry requests", {"shop.py": shop(a=", retries=2", b=", retries=2")})
    repository.commit("Retry nothing", {"shop.py": shop()})

    def found(text: str) -> dict[str, tuple[bool, str]]:
        repository.write("shop.py", text)
        asking = open_engine(repository.path)
        hints = asking.hints("shop.py", text, options=HintOptions(threshold=0.0)).items
        titles = {hint.definition: hint.title for hint in hints}
        answers = asking.next(asking.repository.working_edits(), k=0)
        return {one.definition: (bool(one.telling), titles[one.definition]) for one in answers if one.evidence}

    telling, title = found(shop(a=", retries=2"))["store"]
    assert telling
    assert "changed with fetch in" in title
    telling, title = found(shop().replace("fetch(page)", "fetch(page, colour, shape, weight)"))["store"]
    assert not telling
    assert "Retry" not in title


def test_a_joint_change_is_found_under_the_older_name_of_the_file(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"old.py": shop()})
    both = repository.commit("Retry requests", {"old.py": shop(a=", retries=2", b=", retries=2")})
    repository.rename("old.py", "new.py")
    repository.commit("Rename the shop")
    repository.write("new.py", shop(a=", retries=3", b=", retries=2"))
    asking = open_engine(repository.path)
    found = {one.definition: one for one in asking.next(asking.repository.working_edits(), k=0)}
    assert found["store"].evidence[0].edit.commit.sha == both
    assert found["store"].evidence[0].edit.path == "old.py"


CLIENTS = """\
def fetch_orders(session):
    return session.get("/orders"{a})


def fetch_invoices(session):
    return session.get("/invoices"{b})


def parse_date(text):
    day, month = text.split("{c}")
    return day, month
"""


def by_relation(threshold: float, **weights: float) -> EvidenceScorer:
    """A scorer that only looks at these relations."""
    first = np.zeros((len(RELATIONS), 1), dtype=np.float32)
    for name, weight in weights.items():
        first[RELATIONS.index(name)] = weight
    zeros, ones = np.zeros(len(RELATIONS), dtype=np.float32), np.ones(len(RELATIONS), dtype=np.float32)
    one = np.ones(1, dtype=np.float32)
    return EvidenceScorer(zeros, ones, first, 0 * one, one, 0.0, threshold)


def test_places_cite_past_edits_of_their_own(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"clients.py": CLIENTS.format(a="", b="", c="/")})
    waits = repository.commit("Wait for invoices", {"clients.py": CLIENTS.format(a="", b=", timeout=3", c="/")})
    dates = repository.commit("Read dates with dots", {"clients.py": CLIENTS.format(a="", b=", timeout=3", c=".")})
    repository.write("clients.py", CLIENTS.format(a=", timeout=3", b=", timeout=3", c="."))
    asking = open_engine(repository.path)

    def first(scorer: EvidenceScorer) -> dict[str, list[str]]:
        engine = Engine(asking.repository, asking.encoder, asking.index, scorer=scorer)
        found = replace(asking, engine=engine).next(asking.repository.working_edits(), k=0)
        return {one.definition: [past.edit.commit.sha for past in one.evidence] for one in found}

    own = first(by_relation(0.5, own=2, age=-0.1))
    assert own["fetch_invoices"][0] == waits
    assert own["parse_date"][0] == dates
    alike = first(by_relation(0.5, **{"words, signed": 2}))  # what is like the edit in progress is the same for all
    assert alike["fetch_invoices"] == alike["parse_date"] == [waits]


def test_places_lead_with_different_past_edits_where_several_fit_equally(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"clients.py": CLIENTS.format(a="", b="", c="/")})
    repository.commit("Wait for invoices", {"clients.py": CLIENTS.format(a="", b=", timeout=3", c="/")})
    repository.commit("Read dates with dots", {"clients.py": CLIENTS.format(a="", b=", timeout=3", c=".")})
    asking = open_engine(repository.path)

    def first(scorer: EvidenceScorer, orders: str) -> list[int]:
        repository.write("clients.py", CLIENTS.format(a=orders, b=", timeout=3", c="."))
        engine = Engine(asking.repository, asking.encoder, asking.index, scorer=scorer)
        found = replace(asking, engine=engine).next(asking.repository.working_edits(), k=2)
        return [one.evidence[0].edit.id for one in found]

    level = first(by_relation(-1.0, age=-0.1), " + query(colour)")  # the newest three of all, whatever the place
    assert len(set(level)) == 2
    apart = first(by_relation(0.5, **{"words, signed": 30}), ", timeout=3")  # one that fits far better
    assert len(set(apart)) == 1


def test_a_large_commit_is_no_joint_change(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    def texts(wait: int) -> dict[str, str]:
        many = "".join(f"def ask_{number}():\n    return get({number}, {wait})\n\n\n" for number in range(25))
        return {"many.py": many}

    repository = make_repository()
    repository.commit("Begin", texts(1))
    everything = repository.commit("Wait longer everywhere", texts(2))
    repository.write("many.py", texts(2)["many.py"].replace("get(0, 2)", "get(0, 3)"))
    asking = open_engine(repository.path)
    engine = Engine(asking.repository, asking.encoder, asking.index, scorer=by_relation(0.5, own=2, age=-0.1))
    found = replace(asking, engine=engine).next(asking.repository.working_edits(), k=0)
    assert any(past.edit.commit.sha == everything for one in found for past in one.evidence)
    assert not any(reason.name == JOINT for one in found for past in one.evidence for reason in past.reasons)


def test_where_no_past_edit_fits_none_is_shown_and_none_is_named(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"shop.py": shop()})
    repository.commit("Put twice", {"shop.py": shop(b=", times=2")})
    text = shop(a=", retries=3", b=", times=2")
    repository.write("shop.py", text)
    asking = open_engine(repository.path)
    options = HintOptions(threshold=0.0, kinds=frozenset({HintKind.NEXT}))

    def lenses(threshold: float) -> Sequence[Hint]:
        engine = Engine(asking.repository, asking.encoder, asking.index, scorer=by_relation(threshold, own=1))
        return replace(asking, engine=engine).hints("shop.py", text, options=options).items

    assert all(lens.edit_ids for lens in lenses(0.5) if lens.definition != "<module>")
    assert lenses(2.0)
    assert not any(lens.edit_ids or " · like " in lens.title for lens in lenses(2.0))
    assert all(lens.title.startswith("likely next (") for lens in lenses(2.0))


def test_a_commit_is_named_once_in_an_answer(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    def text(how: str, count: int, own: str = "") -> str:
        return "".join(
            f"def fetch_{n}(page):\n    return get(page, {n}{own if not n else how if n <= count else ''})\n\n\n"
            for n in range(6)
        )

    repository = make_repository()
    repository.commit("Begin", {"shop.py": text("", 0)})
    everywhere = repository.commit("Retry requests", {"shop.py": text(", retries=2", 5, ", retries=2")})
    repository.commit("Retry nothing", {"shop.py": text("", 0)})
    repository.write("shop.py", text("", 0, ", retries=2"))
    asking = open_engine(repository.path)
    found = asking.next(asking.repository.working_edits(), k=0)
    behind = [one for one in found if any(past.edit.commit.sha == everywhere for past in one.evidence)]
    assert len(behind) > 2, "whoever clicks is shown it everywhere"
    named = [past.edit.commit.sha for one in found for past in one.telling]
    assert everywhere in named
    assert len(named) == len(set(named))


def test_each_place_has_the_likeliest_commit_that_no_other_one_has() -> None:
    assert _named_once([{0: (0.9, "a"), 1: (0.5, "b")}, {0: (0.8, "a"), 1: (0.7, "b")}]) == [{0}, {1}]
    assert _named_once([{0: (0.6, "a")}, {0: (0.8, "a"), 1: (0.7, "b")}, {0: (0.5, "a")}]) == [set(), {0, 1}, set()]
    assert _named_once([{0: (0.44, "a")}, {}]) == [set(), set()]
