"""What is done when there is nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.hints import derived
from codewm_lsp.index.store import PARSED_FILES
from codewm_lsp.server import session
from codewm_lsp.server.options import Options
from codewm_lsp.server.session import Held, Place, Workshop

FILES = {f"part_{number}.py": f"def part_{number}(url):\n    return url\n" for number in range(20)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where indexes lie."""
    monkeypatch.setenv("CODEWM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(cache: Path, make_repository: Callable[..., Any]) -> Path:
    """A repository of files that are worth keeping."""
    repository = make_repository()
    repository.commit("Add parts", FILES)
    return repository.path.resolve()


def hints(workshop: Workshop, root: Path, text: str) -> None:
    place = workshop.place(root / "part_0.py", Options())
    assert place == Place(root, "part_0.py")
    workshop.hints(place, Held({root / "part_0.py": text}, time.monotonic()), Options(), 60.0)


def test_what_was_parsed_is_kept_for_the_next_process_unless_somebody_waits(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FILES["part_0.py"].replace("url", "address")
    workshop = Workshop(pytest.fail)
    hints(workshop, root, text)
    for _ in range(derived._ATTEMPTS - 1):
        workshop.rest(lambda: True)
    assert not list(cache.rglob(PARSED_FILES))
    workshop.rest(lambda: False)
    assert len(list(cache.rglob(PARSED_FILES))) == 1
    workshop.close()

    parsed: list[str] = []
    parse = derived.parse_file
    monkeypatch.setattr(derived, "parse_file", lambda *arguments: parsed.append(arguments[0]) or parse(*arguments))
    workshop = Workshop(pytest.fail)
    hints(workshop, root, text)
    workshop.close()
    assert parsed == [text]


def test_what_is_never_kept_in_one_go_is_left_alone(root: Path, cache: Path) -> None:
    workshop = Workshop(pytest.fail)
    hints(workshop, root, FILES["part_0.py"].replace("url", "address"))
    for _ in range(derived._ATTEMPTS):
        workshop.rest(lambda: True)
    workshop.rest(lambda: False)
    assert not list(cache.rglob(PARSED_FILES))
    workshop.close()


def test_memory_is_given_back_once_jobs_have_left_much_of_it_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    held, given = [0], list[int]()

    def give_back() -> None:
        given.append(held[0])
        held[0] -= 30 << 20  # the rest of what came is needed

    monkeypatch.setattr(session, "_LEFT_BEHIND", 64 << 20)
    monkeypatch.setattr(session, "resident", lambda: held[0])
    monkeypatch.setattr(session, "give_back", give_back)
    workshop = Workshop(pytest.fail)
    for megabytes in (40, 100, 130, 140, 90, 150, 160):  # 70 were needed, then 110, then less than that again
        held[0] = megabytes << 20
        workshop.relieve()
    assert given == [100 << 20, 140 << 20, 160 << 20]
    workshop.close()
