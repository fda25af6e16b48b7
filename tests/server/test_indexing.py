"""Indexing runs in the background, shows how far it is, can be cancelled, and follows new commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lsprotocol import types

from tests.server.conftest import LAST, LAST_DEFINITION, Editor, StartEditor, service, write_history

SIMILAR = "codewm.showSimilarEdits"


def write_long_history(repository: Any, commits: int) -> None:
    """Many commits, quickly: one ``git fast-import``."""
    stream = []
    for number in range(commits):
        body = "".join(
            f"def part_{part}(value):\n"
            + "".join(f"    value = value + {number * 7 + part + line}\n" for line in range(30))
            + "    return value\n\n\n"
            for part in range(3)
        ).encode()
        message = f"Change number {number}".encode()
        stream.append(
            b"commit refs/heads/main\ncommitter Ada <ada@example.org> %d +0000\ndata %d\n%s\n"
            b"M 100644 inline module_%d.py\ndata %d\n%s\n"
            % (1_700_000_000 + number, len(message), message, number % 7, len(body), body)
        )
    repository.git("fast-import", "--quiet", stdin=b"".join(stream))
    repository.git("checkout", "--quiet", "--force", "main")


def reports(editor: Editor) -> list[Any]:
    return [value for values in editor.client.progress_reports.values() for value in values]


async def test_a_long_history_shows_its_progress_and_ends(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_long_history(repository, 250)
    # On a machine that others keep busy it would wait for them, and say so in between (see test_pace).
    async with start_editor(repository.path, settings={"pauseWhenBusy": False}) as editor:
        await editor.until(lambda: any(isinstance(value, types.WorkDoneProgressEnd) for value in reports(editor)))
        begin, *between, end = reports(editor)
        assert isinstance(begin, types.WorkDoneProgressBegin)
        assert begin.cancellable
        assert "ndexing" in begin.title
        shares = [value.percentage for value in between]
        assert shares == sorted(shares)
        assert end.message == "250 commits"


async def test_indexing_can_be_cancelled_and_taken_up_again(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_long_history(repository, 3000)
    async with start_editor(repository.path) as editor:
        await editor.until(lambda: reports(editor))
        (token,) = editor.client.progress_reports
        editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
        await editor.until(lambda: isinstance(reports(editor)[-1], types.WorkDoneProgressEnd))
        assert reports(editor)[-1].message == "stopped"
        await editor.run("codewm.reindex")
        await editor.until(lambda: len(editor.client.progress_reports) == 2)


async def test_lenses_come_while_the_index_grows(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_long_history(repository, 3000)
    async with start_editor(repository.path) as editor:
        path = "module_1.py"
        text = (repository.path / path).read_text(encoding="utf-8").replace("return value", "return value * 2", 1)
        uri = editor.open(path, text)
        assert await editor.lenses_when(uri)
        assert not any(isinstance(value, types.WorkDoneProgressEnd) for value in reports(editor))


async def test_new_commits_are_found(make_repository: Callable[..., Any], start_editor: StartEditor) -> None:
    """Told by a watcher, on saving, or because the editor asks for lenses."""
    repository = make_repository()
    write_history(repository)
    async with start_editor(repository.path) as editor:
        uri = editor.open(LAST, service("sessions", timeout=True))
        await editor.lens(uri)
        await editor.until(lambda: editor.registrations)
        (registration,) = editor.registrations
        assert registration.method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        for sign in ("watched", "saved", "asked"):
            sha = repository.commit(f"Add timeout to fetch_{sign}", {f"{sign}.py": service("sessions", timeout=True)})
            if sign == "watched":
                log = types.FileEvent((repository.path / ".git/logs/HEAD").as_uri(), types.FileChangeType.Changed)
                editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([log]))
            elif sign == "saved":
                editor.save(uri)
            else:
                await editor.lenses(uri)
            target = {"uri": uri, "definition": LAST_DEFINITION, "show": False}
            commits: list[str] = []
            while sha not in commits:
                answer = await editor.run(SIMILAR, target)
                commits = [edit["commit"] for edit in answer["edits"]]


async def test_a_worktree_and_its_repository_are_served_side_by_side(
    make_repository: Callable[..., Any], start_editor: StartEditor
) -> None:
    repository = make_repository()
    write_history(repository)
    worktree = repository.path.parent / "worktree"
    repository.git("worktree", "add", "--quiet", "-b", "other", str(worktree))
    async with start_editor(repository.path, folders=[repository.path, worktree]) as editor:
        changed = service("sessions", timeout=True)
        here = editor.open(LAST, changed)
        there = editor.open(LAST, changed, uri=(worktree / LAST).as_uri())
        await editor.lens(here)
        await editor.lens(there)

        (worktree / "more.py").write_text(service("sessions", timeout=True), encoding="utf-8")
        repository.git("-C", str(worktree), "add", "--all")
        repository.git("-C", str(worktree), "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "-m", "More")
        sha = repository.head("other")
        editor.save(there)
        target = {"uri": there, "definition": LAST_DEFINITION, "show": False}
        while sha not in [edit["commit"] for edit in (await editor.run(SIMILAR, target))["edits"]]:
            await asyncio.sleep(0.05)
        answer = await editor.run(SIMILAR, {**target, "uri": here})
        assert sha not in [edit["commit"] for edit in answer["edits"]]  # of another branch
