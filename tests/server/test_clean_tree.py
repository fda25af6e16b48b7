"""While nothing is being edited the server answers from the last commit, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.conftest import StartEditor, service, target_of, write_history

CHANGED = "sessions.py"  # by the last commit, as four others were before
DEFINITION = "SessionsClient.fetch_sessions"
OTHER = "helper.py"


@pytest.fixture
def repository(make_repository: Any) -> Any:
    repository = make_repository()
    write_history(repository)
    repository.commit("Add timeout to fetch_sessions", {CHANGED: service("sessions", timeout=True)})
    return repository


async def test_what_the_last_commit_changed_has_a_lens_with_past_edits_behind_it(
    repository: Any, start_editor: StartEditor
) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(CHANGED)
        lens = await editor.lens(uri, DEFINITION)
        assert lens.command is not None
        assert lens.command.title.startswith(f"changed in {repository.head()[:7]}, ")
        assert "'Add timeout to fetch_" in lens.command.title
        assert [target_of(one)["definition"] for one in await editor.lenses(uri)] == [DEFINITION]
        answer = await editor.run("codewm.showSimilarEdits", target_of(lens))
        assert answer["query"]["kind"] == "similar"
        (why,) = answer["query"]["reasons"]
        assert why.startswith(
            f"changed in the last commit {repository.head()[:7]} 'Add timeout to fetch_sessions' by Ada"
        )
        assert answer["edits"]
        assert repository.head() not in {one["commit"] for one in answer["edits"]}


async def test_it_gives_way_to_an_edit_and_comes_back(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri, text = editor.open(CHANGED), service("sessions", timeout=True)
        first = await editor.lens(uri, DEFINITION)
        editor.replace(uri, text.replace("total = 0", "total = 1"))
        await editor.lenses_when(
            uri, lambda found: not any(one.command and one.command.title.startswith("changed in") for one in found)
        )
        editor.replace(uri, "# a comment\n" + text)
        (again,) = await editor.lenses_when(uri, lambda found: [one.command for one in found] == [first.command])
        assert again.range.start.line == first.range.start.line + 1


async def test_where_next_says_from_what_it_answers_and_what_its_chances_mean(
    repository: Any, start_editor: StartEditor
) -> None:
    renamed = service("sessions", timeout=True).replace("fetch_sessions", "get_sessions")
    repository.commit(
        "Use it", {"page.py": "import sessions\n\n\ndef page(client):\n    return client.fetch_sessions('/')\n"}
    )
    repository.commit("Rename fetch_sessions", {CHANGED: renamed})
    async with start_editor(repository.path) as editor:
        uri = editor.open(CHANGED)
        await editor.lens(uri, "SessionsClient.get_sessions")
        answer = await editor.run("codewm.showNextEdits", {"uri": uri, "show": False})
        head = repository.head()[:7]
        assert [one["definition"] for one in answer["predictions"]][:1] == ["page"]
        assert all(one["score"] >= 0.15 for one in answer["predictions"])
        assert answer["about"].startswith(
            "No uncommitted changes to Python code; showing what may follow "
            f"the last commit {head} 'Rename fetch_sessions' by "
        )
        assert answer["about"].endswith(" The chances are for the author's next five commits.")


async def test_where_next_lists_no_guesses_and_says_so(repository: Any, start_editor: StartEditor) -> None:
    async with start_editor(repository.path) as editor:
        uri = editor.open(CHANGED)
        await editor.lens(uri, DEFINITION)
        answer = await editor.run("codewm.showNextEdits", {"uri": uri})
        assert answer["predictions"] == []
        assert answer["about"].startswith(
            "No uncommitted changes to Python code, and nothing is likely enough to follow "
            f"the last commit {repository.head()[:7]} 'Add timeout to fetch_sessions' by "
        )
        assert [message.message for message in editor.client.messages] == [answer["about"]]
        assert not editor.client.shown_documents
        editor.replace(uri, service("sessions", timeout=True).replace("total = 0", "total = 1"))
        answer = await editor.run("codewm.showNextEdits", {"uri": uri, "show": False})
        assert answer["about"] == ""


async def test_the_status_says_what_is_waited_for(repository: Any, start_editor: StartEditor) -> None:
    async def waiting() -> str:
        told = (await editor.run("codewm.status"))["repositories"]
        assert len(told) <= 1
        return str(told[0]["waiting"]) if told else "no repository yet"

    async def until(words: str) -> None:
        for _ in range(1200):
            if (said := await waiting()) == words:
                return
            await editor.lenses(uri)
        raise AssertionError(said)

    head = repository.head()[:7]
    async with start_editor(repository.path) as editor:
        uri = editor.open(CHANGED)
        await until(f"no Python code edited so far; using the last commit {head}")
        editor.insert(uri, 0, 0, "# a comment\n")
        await until(f"only comments or white space edited so far; using the last commit {head}")
        editor.replace(uri, service("sessions"))
        await until("")
    async with start_editor(repository.path, settings={"cleanTree": False}) as editor:
        uri = editor.open(CHANGED)
        await until("no Python code edited so far")
        assert await editor.lenses(uri) == []


async def test_the_users_own_commit_comes_first(repository: Any, start_editor: StartEditor) -> None:
    mine = repository.head()
    repository.git("config", "user.email", "ada@example.org")
    repository.commit(
        "Change the helper", {OTHER: "def upper(text):\n    return text.lower()\n"}, author="B <b@b.example>"
    )
    async with start_editor(repository.path) as editor:
        lens = await editor.lens(editor.open(CHANGED), DEFINITION)
        assert lens.command is not None
        assert lens.command.title.startswith(f"changed in {mine[:7]}, ")
        answer = await editor.run("codewm.showSimilarEdits", target_of(lens))
        assert answer["query"]["reasons"][0].startswith(f"changed in your last commit {mine[:7]} ")
