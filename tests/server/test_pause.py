"""Lenses change in a pause and not while somebody types, however early they are worked out. Time is driven by hand."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.hints import Hint, HintKind, Hints
from codewm_lsp.server.conductor import Conductor
from codewm_lsp.server.documents import Document, TextChange
from codewm_lsp.server.lenses import AT_ONCE, OpenFile, _Found
from codewm_lsp.server.options import Display, Options
from codewm_lsp.server.session import Held, Place
from codewm_lsp.server.worker import Priority
from tests.server.test_debounce import Clock

TEXT = "def one():\n    pass\n\n\ndef two():\n    pass\n"


class Loop(Clock):
    """As much of an event loop as a conductor needs."""

    def time(self) -> float:
        return self.now

    def call_soon_threadsafe(self, action: Callable[..., object], *arguments: object) -> None:
        pass

    def create_task(self, work: Coroutine[Any, Any, None]) -> None:
        work.close()


class Editor:
    """An editor that shows nothing and can be told nothing."""

    def say(self, level: object, text: str) -> None: ...

    def can_refresh(self) -> bool:
        return False

    def can_refresh_inlays(self) -> bool:
        return False

    def shows_status(self) -> bool:
        return False

    def status_changed(self) -> None: ...


class Told(Editor):
    """An editor that asks again about what it shows when it is told to."""

    def __init__(self) -> None:
        self.told = 0

    def can_refresh(self) -> bool:
        return True

    async def refresh(self) -> None:
        self.told += 1


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def conductor(loop: Loop, tmp_path: Path) -> Iterator[Conductor]:
    conductor = Conductor(Editor(), loop, [], Options(display=Display.OFF, debounce_ms=100))  # type: ignore[arg-type]
    conductor._indexing._warm.add(tmp_path)
    conductor.open(Document("file:///a.py", "python", 1, TEXT), tmp_path / "a.py")
    yield conductor
    conductor.close(5.0)


def found(conductor: Conductor, root: Path, *, version: int, text: str, line: int) -> OpenFile:
    """The worker has worked out one lens for this version of the text."""
    opened = conductor.lenses._files["file:///a.py"]
    future: Future[_Found] = Future()
    hint = Hint(HintKind.NEXT, "a.py", "two", line, "likely next", 0.5, ())
    future.set_result(_Found(Place(root, "a.py"), Held({}, 0.0), Hints((hint,), complete=True)))
    conductor.lenses._found(opened, version, text, future)
    return opened


def stroke(conductor: Conductor, version: int) -> str:
    """A line more at the top."""
    document = conductor.lenses.document("file:///a.py")
    assert document is not None
    conductor.lenses.changed(document.uri, document.apply(version, (0, 0), (0, 0), "\n"))
    return document.text


def lines(opened: OpenFile) -> list[int]:
    return [lens.anchor.line for lens in opened.lenses]


def test_what_is_found_when_nobody_types_shows_at_once(conductor: Conductor, tmp_path: Path) -> None:
    assert lines(found(conductor, tmp_path, version=1, text=TEXT, line=4)) == [4]


def test_what_is_found_early_waits_for_the_pause(conductor: Conductor, loop: Loop, tmp_path: Path) -> None:
    text = stroke(conductor, 2)
    loop.advance(0.075)
    opened = found(conductor, tmp_path, version=2, text=text, line=5)
    assert lines(opened) == []
    loop.advance(0.02)
    assert lines(opened) == []
    loop.advance(0.01)
    assert lines(opened) == [5]


def test_the_next_key_stroke_throws_away_what_waits(conductor: Conductor, loop: Loop, tmp_path: Path) -> None:
    text = stroke(conductor, 2)
    loop.advance(0.075)
    opened = found(conductor, tmp_path, version=2, text=text, line=5)
    text = stroke(conductor, 3)
    loop.advance(1.0)
    assert lines(opened) == []
    found(conductor, tmp_path, version=3, text=text, line=6)
    assert lines(opened) == [6]


def test_other_documents_keep_the_one_typed_in_from_nothing(
    conductor: Conductor, loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conductor.open(Document("file:///b.py", "python", 1, TEXT), tmp_path / "b.py")
    asked: list[tuple[str, Priority]] = []
    monkeypatch.setattr(
        conductor.lenses,
        "_compute",
        lambda opened, priority, held=None: asked.append((opened.document.uri, priority)),
    )
    for version in (2, 3):
        stroke(conductor, version)
        loop.advance(0.075)
    assert asked == [("file:///a.py", Priority.TYPING)] * 2
    loop.advance(0.03)
    assert asked[2:] == [("file:///b.py", Priority.OTHER)]


def test_of_many_open_documents_those_looked_at_last_are_worked_out(
    conductor: Conductor, loop: Loop, tmp_path: Path
) -> None:
    lenses = conductor.lenses
    uris = [f"file:///{number}.py" for number in range(AT_ONCE + 3)]
    for number, uri in enumerate(uris):
        loop.now += 1
        conductor.open(Document(uri, "python", 1, TEXT), tmp_path / f"{number}.py")
    loop.now += 1
    lenses._shown(uris[0])
    lenses.recompute()
    assert [uri for uri in lenses._files if lenses._files[uri].behind] == ["file:///a.py", *uris[1:4]]
    assert not lenses._files[uris[1]].fresh.is_set()
    lenses._shown(uris[1])  # it is looked at again
    assert not lenses._files[uris[1]].behind
    assert lenses._files[uris[1]].fresh.is_set()


async def test_a_document_that_is_no_longer_asked_about_is_worked_out_when_it_is_looked_at_again(
    loop: Loop, tmp_path: Path
) -> None:
    editor = Told()
    conductor = Conductor(editor, loop, [], Options(display=Display.OFF, debounce_ms=100))  # type: ignore[arg-type]
    lenses = conductor.lenses
    uris = [f"file:///{name}.py" for name in ("typed", "beside", "hidden", "never_shown")]
    try:
        for uri in uris:
            conductor.open(Document(uri, "python", 1, TEXT), tmp_path / uri.rpartition("/")[2])
        for shown in (uris[:3], uris[:2]):  # one is hidden behind another, and the last was but opened
            for uri in shown:
                lenses._shown(uri)
            await lenses._refresh()
        assert editor.told == 2
        for uri in uris[:2]:
            lenses._shown(uri)
        lenses.changed(uris[0], TextChange((0, 0), (0, 0), ("", "")))
        loop.advance(1.0)
        assert [uri for uri in uris if lenses._files[uri].behind] == uris[2:]
        lenses._shown(uris[2])
        assert not lenses._files[uris[2]].behind
    finally:
        conductor.close(5.0)


def test_reading_goes_on_with_the_texts_it_began_with_unless_something_has_changed(
    conductor: Conductor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lenses = conductor.lenses
    asked: list[Held | None] = []
    monkeypatch.setattr(lenses, "_compute", lambda opened, priority, held=None: asked.append(held))
    opened = lenses._files["file:///a.py"]

    def found_some(held: Held) -> None:
        future: Future[_Found] = Future()
        future.set_result(_Found(Place(tmp_path, "a.py"), held, Hints((), complete=False)))
        lenses._found(opened, 1, TEXT, future)

    first = lenses.held()
    found_some(first)
    second = lenses.held()  # as after a key stroke elsewhere, or a change on disk
    found_some(first)
    found_some(second)
    assert asked == [first, None, second]
