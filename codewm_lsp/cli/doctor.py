"""``codewm doctor``: what CodeWM needs, how it stands, and what to do about what is wrong."""

from __future__ import annotations

import glob
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import codewm_lsp
from codewm_lsp.cli.cleaning import unused
from codewm_lsp.display import counted, named, short
from codewm_lsp.errors import BundleError, CodewmError
from codewm_lsp.folders import NO_FOLDER, log_folder
from codewm_lsp.logs import last_error, log_files
from codewm_lsp.records import dataclass

if TYPE_CHECKING:
    from codewm_lsp.history import Repository
    from codewm_lsp.index import Index
    from codewm_lsp.world_model import WorldModel

_LIBRARIES = ("onnxruntime", "tree-sitter", "tree-sitter-python", "pygls", "numpy")
_REINSTALL = "reinstall CodeWM"
_OTHER_FOLDER = "name another folder with --cache or CODEWM_CACHE"
_LISTED = 10  # hidden edits that are named
_BEFORE = "def get(url):\n    return send(url)\n"
_AFTER = "def get(url, timeout=30):\n    return send(url, timeout=timeout)\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``note``: worth knowing; ``problem``: something will not work."""

    name: str
    state: Literal["ok", "note", "problem"]
    detail: str
    remedy: str = ""


def examine(path: Path, model_folder: Path | None, cache: Path | None) -> list[Finding]:
    """Look at everything; never raises for what it finds."""
    findings = [
        Finding("codewm", "ok", f"{codewm_lsp.__version__} in {Path(codewm_lsp.__file__).parent}"),
        Finding("python", "ok", f"{platform.python_version()} on {platform.platform()} ({sys.executable})"),
        *_libraries(),
        _server(),
        _log(),
    ]
    git = _git()
    findings.append(git)
    model: WorldModel | None = None
    try:
        model, finding = _model(model_folder)
        findings.append(finding)
    except ImportError as error:
        findings.append(Finding("model", "problem", f"cannot be run: {error}", _REINSTALL))
    except BundleError as error:
        findings.append(
            Finding("model", "problem", str(error), "name another folder with --model, or reinstall CodeWM")
        )
    if git.state == "ok":
        findings.extend(_repository(path, model, cache))
    findings.append(_unused(cache))
    return findings


def _libraries() -> Iterator[Finding]:
    versions = []
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Finding(name, "problem", "is not installed", _REINSTALL)
    yield Finding("libraries", "ok", ", ".join(versions))


def _server() -> Finding:
    found = shutil.which("codewm-lsp")
    if found:
        return Finding("server", "ok", found)
    beside = shutil.which("codewm-lsp", path=str(Path(sys.executable).parent))
    if beside:
        return Finding("server", "note", f"{beside} (not on PATH)", "give your editor this full path")
    return Finding("server", "problem", "codewm-lsp was not found", _REINSTALL)


def _log() -> Finding:
    folder = log_folder()
    if folder is None:
        return Finding("log", "note", f"no log file is written, because {NO_FOLDER}")
    files = log_files(folder)
    if not files:
        return Finding("log", "ok", f"{folder} (empty: nothing logged yet)")
    size = sum(file.stat().st_size for file in files if file.exists())
    detail = f"{files[0]} is the newest of {len(files)} ({size / 1000:,.0f} kB)"
    error = last_error(files[0])
    return Finding("log", "note", f"{detail}. Last error: {error[:300]}") if error else Finding("log", "ok", detail)


def _git() -> Finding:
    remedy = "install Git 2.30 or newer and put it on PATH"
    git = shutil.which("git")
    if git is None:
        return Finding("git", "problem", "git was not found on PATH", remedy)
    try:
        said = subprocess.run([git, "--version"], capture_output=True, encoding="utf-8", timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("git", "problem", f"{git} does not run: {error}", remedy)
    return Finding("git", "ok", f"{said.stdout.strip()} ({git})")


def _model(folder: Path | None) -> tuple[WorldModel, Finding]:
    from codewm_lsp.ranking import ranker_of, scorer_of
    from codewm_lsp.world_model import WorldModel

    started = time.perf_counter()
    model = WorldModel.load(folder)
    ranker_of(model.bundle)
    scorer_of(model.bundle)
    loaded = time.perf_counter()
    vectors = model.embed_edits([(_BEFORE, _AFTER), (_AFTER, _AFTER)])
    embedded = time.perf_counter()
    bundle = model.bundle
    detail = (
        f"{model.name} ({model.hash}, {bundle.bytes:,} bytes in {bundle.folder}): verified and loaded in "
        f"{loaded - started:.2f} s, an edit embedded in {(embedded - loaded) * 1000:.0f} ms"
    )
    length, unchanged = ((row @ row) ** 0.5 for row in vectors)
    if not (0.99 < length < 1.01 and unchanged == 0):
        return model, Finding(
            "model",
            "problem",
            f"{detail}, but as a vector of length {length:.3f} instead of 1",
            "export the model again",
        )
    return model, Finding("model", "ok", detail)


def _repository(path: Path, model: WorldModel | None, cache: Path | None) -> Iterator[Finding]:
    from codewm_lsp.history import Repository

    try:
        repository = Repository.open(path)
    except CodewmError as error:
        here = path == Path(".")
        yield Finding(
            "repository",
            "note" if here else "problem",
            str(error),
            "for a repository elsewhere, run `codewm doctor PATH`",
        )
        return
    with repository:
        where = str(repository.root or f"{repository.git_dir} (bare)")
        try:
            head = repository.head()
            commits = repository.ancestors(head)
        except CodewmError as error:
            yield Finding("repository", "problem", str(error))
            return
        files = len(repository.files(head))
        detail = f"{where}: {counted(len(commits), 'commit')}, {counted(files, 'Python file')} at {short(head)}"
        if not files:
            yield Finding("repository", "problem", detail, "CodeWM reads Python only; try another repository")
        elif repository.is_shallow:
            yield Finding(
                "repository",
                "note",
                f"{detail} (shallow clone)",
                "fetch the rest of the history: git fetch --unshallow",
            )
        else:
            yield Finding("repository", "ok", detail)
        if model is not None:
            yield from _index(repository, commits, model, cache)


def _index(repository: Repository, commits: list[str], model: WorldModel, cache: Path | None) -> Iterator[Finding]:
    from codewm_lsp.index import Index

    try:
        with Index.of(repository, model.hash, folder=cache, edit_size=model.edit_size) as index:
            known = index.log.known()
            done = sum(1 for commit in commits if commit in known)
            detail = f"{counted(index.log.size(), 'edit')}, {done:,} of {counted(len(commits), 'commit')}"
            if index.path is None or index.notices:
                yield Finding("index", "problem", " ".join(index.notices), _OTHER_FOLDER)
            elif done < len(commits):
                what = "the rest is" if done else "commits are"
                rest = f"{what} indexed as you work; run `codewm index` to index all of them now"
                yield Finding("index", "note", f"{detail}, {_on_disk(index.path)}", rest)
            else:
                yield Finding("index", "ok", f"{detail}, {_on_disk(index.path)}")
            yield _hidden(index)
    except CodewmError as error:
        yield Finding("index", "problem", str(error), _OTHER_FOLDER)


def _on_disk(path: Path) -> str:
    files = [file for file in path.parent.glob(f"{glob.escape(path.name)}*") if file.is_file()]
    return f"{sum(file.stat().st_size for file in files) / 1e6:,.1f} MB in {path.parent}"


def _unused(cache: Path | None) -> Finding:
    """What lies in the cache folder and will not be read again."""
    found = unused(cache)
    if not found:
        return Finding("unused", "ok", "none")
    named = ", ".join(f"{one.path} ({one.why})" for one in found[:_LISTED])
    more = f", and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    size = sum(one.bytes for one in found) / 1e6
    return Finding("unused", "note", f"{size:,.1f} MB in {named}{more}", "to remove them, run `codewm clean --unused`")


def _hidden(index: Index) -> Finding:
    """What the user has hidden for good."""
    from codewm_lsp.hints.forgotten import is_for_one_change, said_not_needed
    from codewm_lsp.index import Scope

    words = {
        Scope.EDIT: "{path}::{definition} in {sha}",
        Scope.LIKE: "edits like {path}::{definition} in {sha}",
        Scope.COMMIT: "all of commit {sha}",
        Scope.HINT: "a suggestion",
    }
    hidden = index.dismissals.all()
    files = {one.path for one in said_not_needed(index.dismissals)}
    listed = sorted(
        f"{one.path} as forgotten{' in one change' if is_for_one_change(one) else ''}"
        if one.path in files and one.scope is Scope.HINT
        else words[one.scope].format(path=one.path, definition=named(one.definition), sha=short(one.sha))
        for one in hidden
    )
    if not listed:
        return Finding("hidden", "ok", "none")
    more = f", and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    back = "to show a file again, run `codewm forgotten --needed FILE`" if files else ""
    return Finding("hidden", "note" if files else "ok", f"{len(listed)}: {', '.join(listed[:_LISTED])}{more}", back)
