"""The repository, its index and the clock change under a running server: it goes on with what is there now."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import LAST, PATIENCE, Editor, StartEditor, service, target_of, write_history


@pytest.fixture
def repository(make_repository: Callable[..., Any]) -> Any:
    """A history, and its last service just given its time-out too."""
    repository = make_repository("project")
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    return repository


async def commits_behind(editor: Editor, uri: str) -> set[str]:
    """The commits that a lens stands on."""
    target = target_of(await editor.lens(uri))
    answer = await editor.run("codewm.showSimilarEdits", {**target, "show": False})
    return {edit["commit"] for edit in answer["edits"]}


async def until_behind(editor: Editor, uri: str, known: set[str]) -> None:
    """Wait until a lens stands on these commits only."""
    end = time.monotonic() + PATIENCE
    while not (found := await commits_behind(editor, uri)) or not found <= known:
        assert time.monotonic() < end, f"it stands on {found - known}"
        await asyncio.sleep(0.2)


async def until_indexed(editor: Editor, commits: int) -> None:
    """Wait until the only repository has so many commits, all of them indexed."""
    end = time.monotonic() + PATIENCE
    while True:
        ((done, total),) = ((one["done"], one["total"]) for one in (await editor.run("codewm.status"))["repositories"])
        if done == total == commits:
            return
        assert time.monotonic() < end, f"{done} of {total} commits are indexed"
        await asyncio.sleep(0.2)


async def test_a_history_rewritten_collected_and_cloned_anew(
    repository: Any, make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        before = set(repository.git("rev-list", "HEAD").split())
        assert await commits_behind(editor, uri) <= before

        # every commit gets another name, and the old ones are gone
        repository.git("checkout", "--quiet", "--", LAST)
        grace = repository._who("Grace Hopper <grace@example.org>", None)
        repository.git("rebase", "--quiet", "--root", "--force-rebase", **grace)
        repository.git("reflog", "expire", "--expire=now", "--all")
        repository.git("gc", "--quiet", "--prune=now")
        after = set(repository.git("rev-list", "HEAD").split())
        assert not before & after
        repository.write(LAST, service("sessions", timeout=True))
        editor.save(uri)
        editor.insert(uri, 0, 0, "\n")
        await until_behind(editor, uri, after)

        # another clone in its place
        other = make_repository("other")
        other.git("pull", "--quiet", str(repository.path), "HEAD", **grace)
        other.commit("One more", {"more.py": service("more")})
        after = set(other.git("rev-list", "HEAD").split())  # one more, which may be cited too
        shutil.rmtree(repository.path)
        shutil.copytree(other.path, repository.path)
        editor.save(uri)
        editor.insert(uri, 0, 0, "\n")
        await until_indexed(editor, len(after))
        await until_behind(editor, uri, after)
        assert editor.messages() == []


async def test_a_repository_without_its_history_for_a_while_gives_no_alarm(
    repository: Any, start_editor: StartEditor
) -> None:
    """A clone is made anew: first its HEAD is there, then nothing is said of it, and then it is whole."""
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        known = set(repository.git("rev-list", "HEAD").split())
        assert await commits_behind(editor, uri) <= known

        git = repository.path / ".git"
        for name in ("refs", "logs", "packed-refs"):
            if (git / name).exists():
                (git / name).rename(repository.path.parent / name)
        (git / "refs").mkdir()
        editor.save(uri)
        editor.insert(uri, 0, 0, "\n")
        await editor.until(lambda: any("no commits yet" in line for line in editor.log()))
        assert (await editor.run("codewm.status"))["problems"]
        assert editor.messages() == []

        (git / "refs").rmdir()
        for name in ("refs", "logs", "packed-refs"):
            if (repository.path.parent / name).exists():
                (repository.path.parent / name).rename(git / name)
        editor.save(uri)
        editor.insert(uri, 0, 0, "\n")
        await until_behind(editor, uri, known)
        assert editor.messages() == []


async def test_two_servers_and_a_command_on_one_repository(
    repository: Any, start_editor: StartEditor, server_environment: dict[str, str]
) -> None:
    command = [sys.executable, "-c", "from codewm_lsp.cli import main; main()", "index", "-C", str(repository.path)]
    async with start_editor(repository.path) as one, start_editor(repository.path) as two:
        process = subprocess.Popen(
            command, env=server_environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        uris = one.open(LAST), two.open(LAST)
        first, second = await asyncio.gather(one.lens(uris[0]), two.lens(uris[1]))
        assert first.command == second.command
        _, complaint = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, complaint
        repository.write(LAST, service("sessions"))  # as committed: a commit takes in all that has changed
        for number in range(3):
            repository.commit(f"More {number}", {f"more_{number}.py": service(f"more{number}")})
        repository.write(LAST, service("sessions", timeout=True))
        for editor, uri in zip((one, two), uris, strict=True):
            editor.save(uri)
            assert await commits_behind(editor, uri) <= set(repository.git("rev-list", "HEAD").split())
            assert editor.messages() == []
    done = await asyncio.to_thread(subprocess.run, command, env=server_environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (index,) = (
        file for file in Path(server_environment["XDG_CACHE_HOME"]).rglob("*.sqlite3") if "dismissed" not in file.name
    )
    with closing(sqlite3.connect(index)) as connection:
        commits = [row[0] for row in connection.execute("SELECT sha FROM commits")]
        doubled = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM edits GROUP BY commit_id, place HAVING count(*) > 1)"
        ).fetchone()
    assert sorted(commits) == sorted(repository.git("rev-list", "HEAD").split())
    assert doubled == (0,)


async def test_files_from_the_future_and_a_clock_that_goes_back(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        git = repository.path / ".git"
        for seconds, moment in ((60, 4_000_000_000), (90, 100_000_001)):
            repository.commit("Later or earlier", {"when.py": service(f"when{moment}")}, date=moment)
            for file in (git / "HEAD", git / "logs" / "HEAD", git / "refs" / "heads" / "main"):
                os.utime(file, (moment, moment))
            text = service("sessions", timeout=True).replace("30", str(seconds))
            repository.write(LAST, text)
            os.utime(repository.path / LAST, (moment, moment))
            editor.replace(uri, text)
            editor.save(uri)
            await until_behind(editor, uri, set(repository.git("rev-list", "HEAD").split()))
        assert editor.messages() == []
