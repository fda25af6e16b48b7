"""``codewm explore``: one page that opens from the disk, with no code in it unless it is asked for."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.cli.explore_command import FOLDER
from codewm_lsp.explore import page as pages

NAME = '</script><script>alert("name")</script>'


def blocks(text: str) -> dict[str, Any]:
    """The data of a page, by block."""
    found = re.findall(r'<script type="application/gzip" id="([\w-]+)">([^<]*)</script>', text)
    return {name: json.loads(gzip.decompress(base64.b64decode(data))) for name, data in found}


@pytest.fixture
def written(codewm: Any, history: Any, tmp_path: Path) -> Path:
    done = codewm("explore", "-C", history.path, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "out" / "index.html") in done.stdout
    return tmp_path / "out"


def test_a_page_holds_the_edits_of_the_index(written: Path) -> None:
    assert {file.name for file in written.iterdir()} == {"index.html", ".codewm-output.json"}
    data = blocks((written / "index.html").read_text(encoding="utf-8"))
    assert set(data) == {"data"}
    record = data["data"]
    edits = record["edits"]
    size = len(edits["x"])
    assert size > 10
    assert {len(edits[name]) for name in edits} == {size}
    assert record["indexed"] == record["reached"] == 7
    assert record["authors"] == ["Ada Lovelace"]  # the other one changed no Python
    assert "Raise when the server fails" in record["commits"]["subject"]
    names = set(record["definitions"]["name"])
    assert {"get", "post", "put", "delete", "Handler.on_delete", "module level"} <= names
    assert "<module>" not in names
    lines = {
        record["definitions"]["name"][edits["definition"][edit]]: edits["line"][edit] for edit in reversed(range(size))
    }
    assert (lines["module level"], lines["get"]) == (1, 6)  # counted from 1, as editors do
    assert all(0 <= value <= record["grid"] for axis in ("x", "y") for value in edits[axis])
    chain = [
        record["commits"]["subject"][edits["commit"][edit]]
        for edit in range(size)
        if record["definitions"]["name"][edits["definition"][edit]] == "get"
    ]
    assert chain == ["Raise when the server fails", "Add a timeout to get()", "Start"]  # newest first
    assert {frozenset(record["files"]["path"][n] for n in pair[:2]) for pair in record["files"]["pairs"]} == {
        frozenset({"client.py", "server.py"})
    }


def test_what_a_large_commit_renamed_or_deleted_is_not_said_to_exist(
    codewm: Any, make_repository: Any, tmp_path: Path
) -> None:
    repository = make_repository("moved")
    text = "class {}:\n    def send(self):\n        return {}\n"
    for number in range(3):
        repository.commit(f"Change {number}", {"m.py": text.format("Old", number), "old.py": f"x = {number}\n"})
    others = {f"other_{number}.py": "x = 1\n" for number in range(pages.MAX_FILES)}
    repository.remove("old.py")
    repository.commit("Rename all", {"m.py": text.format("New", 2), **others})  # too large to be indexed
    repository.commit("Change it", {"m.py": text.format("New", 3)})
    done = codewm("explore", repository.path, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    record = blocks((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))["data"]
    assert "Rename all" not in record["commits"]["subject"]
    definitions = record["definitions"]
    alive = dict(zip(definitions["name"], definitions["alive"], strict=True))
    assert (alive["Old.send"], alive["New.send"]) == (0, 1)
    assert dict(zip(record["paths"], record["in_head"], strict=True)) == {"m.py": 1, "old.py": 0}
    files = record["files"]
    assert dict(zip(files["path"], files["in_head"], strict=True)) == {"m.py": 1, "old.py": 0}
    assert record["most_files"] == pages.MAX_FILES  # which the page says


def test_a_page_holds_no_code(written: Path) -> None:
    text = json.dumps(blocks((written / "index.html").read_text(encoding="utf-8")))
    for code in ("transport", "answer", "ServerError(", "limit = 10"):
        assert code not in text


def test_diffs_are_in_it_when_they_are_asked_for(codewm: Any, history: Any, tmp_path: Path) -> None:
    history.commit("Keys", {"secrets.py": "KEY = 'hunter2'\n", ".env": "KEY=hunter2\n", "client2.py": "x = 1\n"})
    done = codewm("explore", history.path, "--with-diffs", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    data = blocks((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    record = data["data"]
    assert record["diffs"]["count"] == len(record["edits"]["x"]) == len(data["diffs-0"])
    edit = next(
        number
        for number, definition in enumerate(record["edits"]["definition"])
        if record["definitions"]["name"][definition] == "get"
    )
    assert "+        raise ServerError(answer)" in data["diffs-0"][edit]
    assert "hunter2" not in json.dumps(data)


def test_diffs_end_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from codewm_lsp.explore import atlas

    monkeypatch.setattr(atlas, "MOST_DIFF_BYTES", 95)
    assert atlas._diffs([None] * 5, lambda edit: "x" * 30, None) == ("x" * 30,) * 3  # type: ignore[list-item]
    (long,) = atlas._diffs([None], lambda edit: "+ a\n" * 9, None)  # type: ignore[list-item]
    assert long == "+ a\n" * 9
    monkeypatch.setattr(atlas, "_LONGEST_DIFF", 10)
    (cut,) = atlas._diffs([None], lambda edit: "+ a\n" * 9, None)  # type: ignore[list-item]
    assert cut == "+ a\n+ a\n…"


def test_what_a_repository_says_is_no_markup(codewm: Any, make_repository: Any, tmp_path: Path) -> None:
    repository = make_repository("a & <b>")
    text = "def f():\n    return {}\n"
    who = f"{NAME.replace('<', '(').replace('>', ')')} <x@example.org>"
    repository.commit(NAME, {"m.py": text.format(0), "n&n.py": text.format(0)}, author=who)
    repository.commit(f"Change {NAME} \x1b[31m\u202e", {"m.py": text.format(1)}, author=who)
    done = codewm("explore", repository.path, "--output", tmp_path / "out", "--with-diffs")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "alert" not in page
    assert "<title>a &amp; &lt;b&gt;: past edits</title>" in page
    subjects = blocks(page)["data"]["commits"]["subject"]
    assert subjects == [f"Change {NAME}", NAME]  # to be shown as text; what drives terminals is gone


def test_only_its_own_scripts_run_and_nothing_is_loaded(written: Path) -> None:
    text = (written / "index.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    policy = html.unescape(policy)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag in ("script", "style"):
        for body in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
    assert len(re.findall(r"<script>", text)) == len(pages.SCRIPTS)
    assert not re.findall(r'(?:src|href)="(?!data:,)', text)
    own = "".join(pages._asset(name) for name in (*pages.SCRIPTS, "page.html"))
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "fetch(",
        "://",
    ):
        assert way not in own, way


def test_what_it_is_made_of_is_small() -> None:
    own = "".join(pages._asset(name) for name in (*pages.SCRIPTS, "page.html", "explore.css"))
    assert len(gzip.compress(own.encode())) < 30_000


def test_the_same_history_makes_the_same_page(codewm: Any, history: Any, written: Path, tmp_path: Path) -> None:
    done = codewm("explore", history.path, "--output", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again" / "index.html").read_bytes() == (written / "index.html").read_bytes()


def test_a_page_is_replaced_only_when_that_is_said(codewm: Any, history: Any, written: Path) -> None:
    before = (written / "index.html").read_bytes()
    done = codewm("explore", history.path, "--output", written, "--with-diffs")
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert "Traceback" not in done.stderr
    assert (written / "index.html").read_bytes() == before
    done = codewm("explore", history.path, "--output", written, "--with-diffs", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert (written / "index.html").read_bytes() != before


def test_a_folder_of_anyone_elses_is_left_as_it_was(codewm: Any, history: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "index.html").write_text("mine", encoding="utf-8")
    done = codewm("explore", history.path, "--output", mine, "--overwrite")
    assert done.returncode == 2
    assert len(done.stderr.strip().split("\n")) == 1
    assert "holds files that codewm explore did not write" in done.stderr
    assert (mine / "index.html").read_text(encoding="utf-8") == "mine"
    assert [file.name for file in mine.iterdir()] == ["index.html"]


def test_without_a_folder_the_page_lies_beside_the_index_and_is_cleaned(
    codewm: Any, history: Any, tmp_path: Path
) -> None:
    for _ in range(2):  # replaced without a question: it is ours
        done = codewm("explore", cwd=history.path)
        assert done.returncode == 0, done.stderr
    (page,) = (tmp_path / "cache").glob(f"*/{FOLDER}/index.html")
    assert str(page) in done.stdout
    assert history.git("status", "--porcelain") == ""
    listed = codewm("clean", "--dry-run")
    assert "pages" in listed.stdout
    assert codewm("clean", "--yes").returncode == 0
    assert not page.parent.exists()


def test_no_edits_are_no_page(codewm: Any, make_repository: Any, tmp_path: Path) -> None:
    repository = make_repository("empty")
    repository.commit("Notes", {"notes.txt": "a\n"})
    done = codewm("explore", repository.path, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == "codewm: This history has no Python edits.\n"
    assert not (tmp_path / "out").exists()


def test_a_path_outside_any_repository_is_one_line(codewm: Any, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    done = codewm("explore", tmp_path / "plain")
    assert done.returncode == 2
    assert len(done.stderr.strip().split("\n")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a browser is named by a program of the shell")
def test_it_is_opened_when_that_is_said(codewm: Any, history: Any, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n', encoding="utf-8")
    browser.chmod(0o755)
    out = tmp_path / "out"
    done = codewm("explore", history.path, "--output", out, "--open", BROWSER=f"{browser} %s")
    assert done.returncode == 0, done.stderr
    assert opened.read_text(encoding="utf-8").strip() == (out / "index.html").as_uri()
    opened.unlink()
    shutil.rmtree(out)
    assert codewm("explore", history.path, "--output", out, BROWSER=f"{browser} %s").returncode == 0
    assert not opened.exists()  # nobody is at a terminal
