"""Records what CodeWM answers to some two hundred fixed questions, so that two versions can be compared byte for byte.

    .venv/bin/python scripts/golden_answers.py RECORD.json CLONE CLONE CLONE

Run it with the interpreter of the version to be asked, before and after a change that must not alter answers, and
compare the two records (``--compare BEFORE.json AFTER.json`` says which questions differ). The clones are only read:
everything happens in copies of them, in a temporary folder. Keep the records outside the repository: they hold parts of
other people's code.

The questions: ``codewm hints``, ``similar`` and ``next`` about past commits and single edits of them (``--at``,
``--editing``), about changes of the working tree (renamed, removed, added, half-typed code), ``codewm embed``, and what
the real language server shows for files that are being edited.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

COMMITS: Final = 10  # asked about in each repository, evenly over its newest ones
NEWEST: Final = 320
CHANGES: Final = 6  # files of the working tree that are changed, one after the other
SERVED: Final = 4  # of these, asked about through the language server
SHOWN: Final = 8

Ask = Callable[..., None]


def main(arguments: Sequence[str]) -> int:
    """Record, or compare two records."""
    if len(arguments) == 3 and arguments[0] == "--compare":
        return compare(Path(arguments[1]), Path(arguments[2]))
    if len(arguments) < 2 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    answers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="golden") as folder:
        for clone in map(Path, arguments[1:]):
            name = clone.parent.name if clone.name == "repo" else clone.name
            work = Path(folder, name)
            git(None, "clone", "--quiet", "--no-hardlinks", str(clone.resolve()), str(work))
            questions(name, work, Path(folder, f"{name}.cache"), answers)
    Path(arguments[0]).write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(answers)} questions, {sum(one['exit'] == 0 for one in answers.values())} answered")
    return 0


def compare(before: Path, after: Path) -> int:
    """Say which answers differ; 1 when any does.

    Scores are compared to four digits: two runs of one version differ in the sixth, as an index is written in batches
    that end when time is up, and a batch of another size sums up in another order.
    """
    one, two = (json.loads(file.read_text(encoding="utf-8"), object_hook=_decoded) for file in (before, after))
    different = [question for question in sorted({*one, *two}) if one.get(question) != two.get(question)]
    for question in different:
        print(question)
    print(f"{len(different)} of {len({*one, *two})} answers differ")
    return 1 if different else 0


def _decoded(record: dict[str, Any]) -> dict[str, Any]:
    """With the JSON in it read, and scores rounded."""
    for name, value in record.items():
        if isinstance(value, float):
            record[name] = round(value, 4)
        elif isinstance(value, str) and value.startswith("{"):
            with contextlib.suppress(ValueError):
                record[name] = json.loads(value, object_hook=_decoded)
    return record


def git(work: Path | None, *arguments: str) -> str:
    """Run Git; its output."""
    done = subprocess.run(["git", *arguments], cwd=work, check=True, capture_output=True)
    return done.stdout.decode("utf-8", "replace")


def run(arguments: Sequence[str], stdin: str = "") -> dict[str, Any]:
    """``codewm`` with these arguments, in this process (the model is loaded anew each time, the interpreter is not)."""
    from codewm_lsp.cli import main as codewm

    out, err = io.BytesIO(), io.BytesIO()
    saved = sys.argv, sys.stdin, sys.stdout, sys.stderr
    sys.argv = ["codewm", *arguments]
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8")), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    code: Any = 0
    try:
        codewm()
    except SystemExit as end:
        code = end.code
    finally:
        written = sys.stdout, sys.stderr
        sys.argv, sys.stdin, sys.stdout, sys.stderr = saved
        for stream in written:
            stream.detach()
    return {"exit": code or 0, "out": out.getvalue().decode("utf-8"), "err": err.getvalue().decode("utf-8")}


def questions(name: str, work: Path, cache: Path, answers: dict[str, Any]) -> None:
    """Ask everything about one repository."""
    os.environ["CODEWM_CACHE"] = str(cache)
    chance = random.Random(name)
    indexed = run(["index", "-C", str(work), "--json"])
    record = json.loads(indexed["out"])
    answers[f"{name} index"] = {"exit": indexed["exit"], "edits": record["edits"], "commits": record["commits"]}

    def ask(*arguments: str, label: str = "", stdin: str = "") -> None:
        told = run([*arguments, *(() if arguments[0] == "embed" else ("-C", str(work), "--no-index"))], stdin)
        told = {key: value.replace(str(work), "WORK") if key != "exit" else value for key, value in told.items()}
        answers[" ".join([name, *arguments[:6], label]).strip()] = told

    for sha in past_commits(work):
        ask("hints", "--at", sha, "--json", "-k", str(SHOWN))
        edited = json.loads(answers[f"{name} hints --at {sha} --json -k {SHOWN}"]["out"])["query"]["editing"]
        one = chance.choice(edited)
        editing = f"{one['path']}::{one['definition']}"
        ask("next", "--at", sha, "--editing", editing, "--json", "-k", "25")
        if len(edited) > 1:
            ask("similar", "--at", sha, "--editing", editing, "--json", "-k", "12")
    for label, path, text in changes(work, chance):
        (work / path).write_text(text, encoding="utf-8")
        ask("hints", "--json", "-k", str(SHOWN), label=f"{label} {path}")
        if label in ("renamed", "half typed"):
            ask("next", "-k", "15", label=f"{label} {path}")
        git(work, "checkout", "--quiet", "--", ".")
        git(work, "clean", "--quiet", "-fd")
    ask("hints", label="clean")
    files = python_files(work)[:40:10]
    texts = [(work / path).read_text(encoding="utf-8", errors="replace") for path in files]
    ask("embed", "--states", stdin="".join(json.dumps({"source": text[:4000]}) + "\n" for text in texts))
    pairs = [{"before": text[:3000], "after": text[:3000].replace("self", "this")} for text in texts]
    ask("embed", "--edits", stdin="".join(json.dumps(pair) + "\n" for pair in pairs))
    for label, path, text in itertools.islice(changes(work, chance), SERVED):
        answers[f"{name} server {label} {path}"] = {"exit": 0, "out": lenses(work, path, text)}


def past_commits(work: Path) -> Iterator[str]:
    """Some of the newest commits that change Python files and are no merges."""
    listed = git(work, "log", "--no-merges", f"-{NEWEST}", "--format=%H", "--", "*.py").split()
    for sha in listed[:: max(1, len(listed) // (2 * COMMITS))]:
        if run(["similar", "-C", str(work), "--no-index", "--json", "-k", "1", "--at", sha])["exit"] == 0:
            yield sha


def python_files(work: Path) -> list[str]:
    """Tracked Python files of some length, in the order of their names."""
    listed = git(work, "ls-files", "-z", "--", "*.py").split("\0")
    return [path for path in listed if path and (work / path).is_file() and (work / path).stat().st_size > 3_000]


_DEF: Final = re.compile(r"^( *)(?:async )?def (\w+)\(self", re.M)


def changes(work: Path, chance: random.Random) -> Iterator[tuple[str, str, str]]:
    """(what was done, path, new text): single changes of the working tree, of several kinds."""
    files = [path for path in python_files(work) if _DEF.search((work / path).read_text(encoding="utf-8"))]
    kinds = itertools.cycle(("renamed", "half typed", "removed", "new parameter", "new file"))
    for path, kind in zip(chance.sample(files, min(CHANGES, len(files))), kinds, strict=False):
        text = (work / path).read_text(encoding="utf-8")
        found = chance.choice(list(_DEF.finditer(text)))
        name = found[2]
        if kind == "renamed":
            yield kind, path, re.sub(rf"\b{name}\b", f"{name}_now", text)
        elif kind == "half typed":
            yield kind, path, text[: found.end()] + ", timeout=\n" + found[1] + "    if (\n" + text[found.end() :]
        elif kind == "removed":
            later = re.search(rf"^ {{0,{len(found[1])}}}(?:def|class|@|async|\w)", text[found.end() :], re.M)
            yield kind, path, text[: found.start()] + (text[found.end() + later.start() :] if later else "")
        elif kind == "new parameter":
            yield kind, path, text[: found.end()] + ", timeout=None" + text[found.end() :]
        else:
            yield kind, str(Path(path).with_name("brand_new.py")), text


def lenses(work: Path, path: str, text: str) -> Any:
    """What ``codewm-lsp`` shows for one file with this unsaved text, to an editor that waits for its lenses."""
    server = subprocess.Popen(
        [sys.executable, "-m", "codewm_lsp.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    numbers = itertools.count(1)

    def send(method: str, params: Any, number: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})
        body = json.dumps(message).encode("utf-8")
        server.stdin.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        server.stdin.flush()

    def request(method: str, params: Any) -> Any:
        number = next(numbers)
        send(method, params, number)
        while True:
            length = 0
            while line := server.stdout.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            message = json.loads(server.stdout.read(length))
            if message.get("id") == number and "method" not in message:
                return message.get("result", message.get("error"))
            if "method" in message and "id" in message:
                body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": None}).encode("utf-8")
                server.stdin.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                server.stdin.flush()

    with contextlib.closing(server.stdin):
        root, uri = work.as_uri(), (work / path).as_uri()
        folder = {"uri": root, "name": "work"}
        request("initialize", {"processId": None, "rootUri": root, "workspaceFolders": [folder], "capabilities": {}})
        send("initialized", {})
        opened = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        send("textDocument/didOpen", {"textDocument": opened})
        shown = request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        told = [{"line": one["range"]["start"]["line"], "title": one["command"]["title"]} for one in shown]
        following = request(
            "workspace/executeCommand", {"command": "codewm.showNextEdits", "arguments": [{"uri": uri, "show": False}]}
        )
        request("shutdown", None)
        send("exit", None)
    server.wait(30)
    return json.loads(json.dumps({"lenses": told, "next": following}).replace(root, "WORK"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
