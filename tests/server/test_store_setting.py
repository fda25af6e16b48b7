"""The setting ``store``: lenses on changed definitions also draw on the past of other repositories."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codewm_lsp.history import Repository
from codewm_lsp.server.others import OtherRepositories
from codewm_lsp.stores import open_store
from codewm_lsp.world_model import WorldModel
from tests.server.conftest import LAST, LAST_DEFINITION, StartEditor, service, write_history

SIMILAR = "codewm.showSimilarEdits"


def fill(environment: dict[str, str], store: Path, *repositories: Path) -> None:
    program = [sys.executable, "-c", "from codewm_lsp.cli import main; main()", "index", "--store", str(store)]
    subprocess.run([*program, *map(str, repositories)], check=True, env=environment, capture_output=True, timeout=120)


async def test_past_edits_of_other_repositories_stand_behind_a_lens(
    make_repository: Callable[..., Any], start_editor: StartEditor, server_environment: dict[str, str], tmp_path: Path
) -> None:
    here, there = make_repository("here"), make_repository("payments")
    here.commit("Begin", {LAST: service("sessions"), "helper.py": "def upper(text):\n    return text.upper()\n"})
    here.commit("Shout", {"helper.py": "def upper(text):\n    return text.upper() + '!'\n"})
    write_history(there)
    here.write(LAST, service("sessions", timeout=True))
    fill(server_environment, tmp_path / "store", there.path, here.path)
    target = {"definition": LAST_DEFINITION, "show": False}
    async with start_editor(here.path, settings={"store": str(tmp_path / "store")}) as editor:
        uri = editor.open(LAST)
        lens = await editor.lens(uri)
        assert lens.command is not None
        assert lens.command.title.startswith("like payments ")
        answer = await editor.run(SIMILAR, {**target, "uri": uri})
        first = answer["edits"][0]
        assert first["repository"] == "payments"
        assert "timeout=30" in first["diff"]
        same = {"root": first["root"], "commit": first["commit"]}
        assert (await editor.run("codewm.commitEdits", same))["edits"]
        text = await editor.run("codewm.fileAt", {**same, "path": first["path"], "side": "after"})
        assert "timeout=30" in text["text"]

        dismissed = {"root": answer["root"], "scope": "commit"}
        for commit in {edit["commit"] for edit in answer["edits"] if "repository" in edit}:
            await editor.run("codewm.dismissEdit", {**dismissed, "commit": commit, "path": "", "definition": ""})
        left = (await editor.run(SIMILAR, {**target, "uri": uri}))["edits"]
        assert not {edit["commit"] for edit in left} & {edit["commit"] for edit in answer["edits"] if "root" in edit}

        editor.configure({"codewm": {"store": ""}})
        while any("repository" in edit for edit in left):
            left = (await editor.run(SIMILAR, {**target, "uri": uri}))["edits"]


@pytest.mark.parametrize(
    "location",
    [
        "postgresql://me:secret@host/x",
        "mysql://host/x",
        "qdrant://host/x",
        "http://host/a/b",
        "http://[::1",
        "no/where",
    ],
)
def test_what_is_wrong_with_it_is_said_in_sentences(
    location: str, make_repository: Callable[..., Any], tmp_path: Path
) -> None:
    builder = make_repository()
    write_history(builder)
    said: list[str] = []
    model = WorldModel.load(graphs=())
    with Repository.open(builder.path) as repository:
        others = OtherRepositories(location, repository, None, frozenset, said.append)
        edit = next(repository.commits(limit=1)).edits[0]
        assert others.search(edit, np.ones(model.edit_size, np.float32), model.hash, 3) == []
    assert len(said) == 1
    assert said[0].startswith("Setting codewm.store: ")
    assert said[0].partition(" Hints come from this repository only.")[0].endswith((".", "REPOSITORY…"))
    assert "--store postgresql" not in said[0]
    assert "secret" not in said[0]


async def test_a_store_that_is_not_there_is_said_once_and_costs_no_other_hint(
    make_repository: Callable[..., Any], start_editor: StartEditor, tmp_path: Path
) -> None:
    repository = make_repository()
    write_history(repository)
    repository.write(LAST, service("sessions", timeout=True))
    async with start_editor(repository.path, settings={"store": str(tmp_path / "nowhere")}) as editor:
        uri = editor.open(LAST)
        await editor.lens(uri)
        editor.insert(uri, 0, 0, "# typed\n")
        await editor.run(SIMILAR, {"uri": uri, "definition": LAST_DEFINITION, "show": False})
        said = [message for message in editor.messages() if "codewm.store" in message]
        assert len(said) == 1
        assert "There is no store" in said[0]
    assert not (tmp_path / "nowhere").exists()


def test_a_store_that_goes_on_failing_is_tried_less_and_less_often(
    make_repository: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try may hold up hints for ten seconds."""
    builder = make_repository()
    write_history(builder)
    now = 1_000.0
    monkeypatch.setattr("codewm_lsp.server.others.time", SimpleNamespace(monotonic=lambda: now))
    said: list[float] = []
    model = WorldModel.load(graphs=())
    vector = np.ones(model.edit_size, np.float32)
    location = tmp_path / "store"
    with Repository.open(builder.path) as repository:
        others = OtherRepositories(str(location), repository, None, frozenset, lambda message: said.append(now))
        edit = next(repository.commits(limit=1)).edits[0]
        for _ in range(2_000):
            others.search(edit, vector, model.hash, 3)
            now += 1.0
        assert [time - 1_000.0 for time in said] == [0.0, 60.0, 180.0, 420.0, 900.0, 1_500.0]
        open_store(str(location), model_hash=model.hash, edit_size=model.edit_size, create=True).close()
        now += 600.0
        others.search(edit, vector, model.hash, 3)
        shutil.rmtree(location)
        others.close()
        others.search(edit, vector, model.hash, 3)
        now += 60.0
        others.search(edit, vector, model.hash, 3)
        assert len(said) == 8
