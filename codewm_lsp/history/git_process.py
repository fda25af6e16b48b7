"""Git, with everything off by which a repository could make it run or fetch something.

Every command is a list of arguments (no shell). The repository is named by ``GIT_DIR``, so that Git's own search, and
with it ``safe.directory``, plays no part: a folder that belongs to another user is read as any other, as data. The
user's and the system's configuration are not read, but for what the user ignores everywhere and the address that they
commit under. The repository's is, and these settings of it are overruled. Of the variables that Git heeds, none is
inherited but ``GIT_EXEC_PATH``.

Every command has a time limit and a limit of its output, and is killed at either: what a repository holds decides how
long Git works (a tree that contains itself ten times, ten levels deep), or whether it waits for ever (a named pipe).
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Final

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.location import Location

SECONDS: Final = 10.0
"""Of a command that answers at once in any repository of sound mind."""

PATIENT_SECONDS: Final = 30.0
"""Of a command that walks over the whole history, or over all files."""

MOST_BYTES: Final = 256 << 20
"""Of the longest answer that is waited for: the names of two million files."""

_OVERRULED: Final = (
    "core.bigFileThreshold=8m",  # larger blobs are streamed, not held
    "core.deltaBaseCacheLimit=96m",
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "core.sshCommand=",
    "core.gitProxy=",
    "core.askPass=",
    "core.pager=cat",
    "core.alternateRefsCommand=",
    "credential.helper=",
    "diff.external=",
    "gc.auto=0",
    "gpg.program=",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
    "submodule.recurse=false",
)
_NO_INDEX: Final = f"no-index-{os.urandom(8).hex()}"
"""No file of a Git folder. Many commands read the index, in memory of its size, without any use of it."""
_LONGEST: Final = 500  # characters of what Git says that a message has
_PARTIAL: Final = ("lazy fetching disabled", "from promisor remote")
_EXECUTABLE: Final = "GIT_PYTHON_GIT_EXECUTABLE"  # GitPython's name for it, which people may have set
_INHERITED: Final = frozenset({"GIT_EXEC_PATH"})  # where an unusual installation keeps its parts
_OF_THE_USER: Final = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
_NOWHERE: Final = {"GIT_DIR": os.devnull, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}  # of no repository
_ENVIRONMENT: Final = {
    "GIT_ALLOC_LIMIT": "512m",  # of one piece of memory: no object of a history needs more
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_ASKPASS": "",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_SSH_COMMAND": "",
    "GIT_TERMINAL_PROMPT": "0",
    "LANGUAGE": "C",
    "LC_ALL": "C",
    "SSH_ASKPASS": "",
}
_CACHES: Final = ("commit-graph", "commit graph", "multi-pack")
_WITHOUT_CACHES: Final = ("core.commitGraph=false", "core.multiPackIndex=false")
_log = logging.getLogger(__name__)
_SUFFIX: Final = ".exe" if os.name == "nt" else ""
if sys.platform == "win32":  # no console flashes up, and an interrupt of ours is none of Git's
    _FLAGS: Final = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _FLAGS: Final = 0
_PIPE: Final = 4096  # bytes that any system's pipe holds
_CHUNK: Final = 1 << 16
_STALLS: Final = 3  # commands that may be killed
_REMEMBERED: Final = 300.0  # seconds that it is remembered
_LINGER: Final = 1.0  # seconds that the watch waits for another call
_GRACE: Final = 2.0  # seconds that a process has to end by itself when it is told to


class LimitError(RepositoryError):
    """A command of Git took longer, or said more, than any that is good for something."""


class GitProcess:
    """A running Git whose standard error is drained by a thread, so that it can never block on it."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, stalls: list[float]) -> None:
        assert process.stdin is not None
        assert isinstance(process.stdout, io.BufferedReader)
        assert process.stderr is not None
        self._process = process
        self._closed = False
        self._complaint = b""
        self._stalls = stalls
        self.name = name
        self.timed_out = False
        self.stdin: IO[bytes] = process.stdin
        self.stdout = process.stdout
        self._errors = process.stderr
        self._drain = threading.Thread(target=self._read_errors, name=name, daemon=True)
        self._drain.start()

    def _read_errors(self) -> None:
        # Not through the stream's buffer, whose lock this thread would still hold when the interpreter ends.
        with contextlib.suppress(OSError, ValueError):  # closed under us: the process was ended
            descriptor = self._errors.fileno()
            while chunk := os.read(descriptor, 4096):
                self._complaint = (self._complaint + chunk)[-4096:]

    @contextlib.contextmanager
    def limit(self, seconds: float, *, expected: bool = False) -> Iterator[None]:
        """Kill the process when the body takes longer: what is read of its output then ends, and ``timed_out`` is set.

        Only time spent waiting for Git belongs into the body. ``expected``: that it is killed says nothing about other
        commands.
        """
        _watch.begin(self, seconds, self._stalls if not expected else None)
        try:
            yield
        finally:
            _watch.end(self)

    def tell(self, everything: bytes = b"") -> None:
        """Write all that there is to be read on standard input, and close it."""

        def write() -> None:
            with contextlib.suppress(OSError, ValueError):  # the process ended before
                self.stdin.write(everything)
                self.stdin.close()

        if len(everything) <= _PIPE:
            write()
        else:  # Git may wait for us to read meanwhile
            threading.Thread(target=write, name=self.name, daemon=True).start()

    def complaint(self) -> str:
        """The end of what Git wrote on standard error; to be asked once its output has ended."""
        self._drain.join(timeout=5)
        return self._complaint.decode("utf-8", "replace").strip()

    def status(self) -> int:
        """Wait for the end of the process; its exit status."""
        return self._process.wait()

    def kill(self) -> None:
        """End the process at once; may be called from any thread."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """End the process, whatever it is doing. Harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        process = self._process
        with contextlib.suppress(OSError):
            process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            process.wait()
        with contextlib.suppress(OSError):  # not before: a thread may be writing to it
            self.stdin.close()
        if not sys.is_finalizing():  # threads like this one no longer run then
            self._drain.join(timeout=5)
        for stream in (self.stdout, self._errors):
            with contextlib.suppress(OSError):
                stream.close()
        _watch.rest()


class _Watch:
    """Kills processes whose time is up. Its one thread lives while there is one whose time is running, and for a second
    more: the next call most often comes at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ends: dict[GitProcess, tuple[float, list[float] | None]] = {}
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def begin(self, process: GitProcess, seconds: float, stalls: list[float] | None) -> None:
        """Kill ``process`` in so many seconds, and write the moment down in ``stalls``."""
        with self._changed:
            end = time.monotonic() + seconds
            self._ends[process] = end, stalls
            if self._thread is None:
                self._wakes = end
                self._thread = threading.Thread(target=self._run, name="git watch", daemon=True)
                self._thread.start()
            elif end < self._wakes:
                self._changed.notify()

    def end(self, process: GitProcess) -> None:
        """Let it live."""
        with self._changed:
            self._ends.pop(process, None)

    def rest(self) -> None:
        """End the thread, unless it is needed."""
        with self._changed:
            thread = None if self._ends else self._thread
            self._changed.notify()
        if thread is not None and not sys.is_finalizing():
            thread.join(timeout=5)

    def _run(self) -> None:
        with self._changed:
            while self._ends:
                now = time.monotonic()
                for process, (end, stalls) in list(self._ends.items()):
                    if end <= now:
                        del self._ends[process]
                        process.timed_out = True
                        process.kill()
                        if stalls is not None:
                            stalls.append(now)
                self._wakes = min((end for end, _ in self._ends.values()), default=now)
                self._changed.wait(min(self._wakes - now, _LINGER))
            self._thread = None


_watch = _Watch()


class HardenedGit:
    """Runs Git in one repository.

    Where it was killed again and again, it is left alone for some minutes: one repository must not stop the others.
    """

    def __init__(self, location: Location, index: Path | None = None) -> None:
        """``index``: the file that stands for Git's index, where it is another than usual."""
        self._location = location
        self._index = index
        self._stalls: list[float] = []  # when a command was killed
        self._where = location.root or location.git_dir
        self._options = [argument for setting in _OVERRULED for argument in ("-c", setting)]
        self._is_plain = False
        self._lists_named: tuple[object, dict[str, str]] = (None, {})

    def start(self, *arguments: str, files: bool = False, memory: str = "") -> GitProcess:
        """Start a command and leave it running; its pipes carry bytes.

        ``files``: it asks about the work tree; no other command sees that there is one. ``memory``: the largest piece
        of memory it may have, where that is less than usual.
        """
        name = f"git {arguments[0]}"
        self._stalls[:] = [moment for moment in self._stalls if time.monotonic() - moment < _REMEMBERED]
        if len(self._stalls) >= _STALLS:
            raise self._stalled(name)
        return GitProcess(self._popen(arguments, files, memory), name, self._stalls)

    def run(
        self,
        *arguments: str,
        files: bool = False,
        told: bytes = b"",
        seconds: float = SECONDS,
        most: int = MOST_BYTES,
        expected: bool = False,
    ) -> tuple[int, bytes, str]:
        """Run a command to its end: exit status, standard output, standard error. ``told``: its standard input;
        ``expected`` as for ``GitProcess.limit``.

        Raises ``LimitError`` where it took longer than ``seconds`` or said more than ``most`` bytes.
        """
        while True:
            with contextlib.ExitStack() as stack:
                process = self.start(*arguments, files=files)
                stack.callback(process.close)
                with process.limit(seconds, expected=expected):
                    process.tell(told)
                    out = bytearray()
                    while chunk := process.stdout.read1(_CHUNK):
                        out += chunk
                        if len(out) > most:
                            raise self._too_much(arguments[0], most)
                    status = process.status()
                if process.timed_out:
                    raise self._stalled(process.name)
                if status and not os.path.isdir(self._location.git_dir):
                    raise self._gone()
                complaint = process.complaint()
            if not self._does_without(status, complaint):
                return status, bytes(out), complaint

    def output(
        self,
        *arguments: str,
        files: bool = False,
        told: bytes = b"",
        seconds: float = SECONDS,
        most: int = MOST_BYTES,
        expected: bool = False,
    ) -> bytes:
        """Standard output of a command that ought to succeed; ``RepositoryError`` when it does not."""
        status, out, complaint = self.run(
            *arguments, files=files, told=told, seconds=seconds, most=most, expected=expected
        )
        if status:
            raise self.failure(arguments[0], status, complaint)
        return out

    def records(self, *arguments: str, seconds: float = PATIENT_SECONDS, most: int = MOST_BYTES) -> Iterator[bytes]:
        """The parts of a command's output that end with a zero byte, as they come. Raises as ``output`` does."""
        status, said = 1, False
        while status:
            process = self.start(*arguments)
            try:
                with process.limit(seconds):
                    process.tell()
                    rest, size = b"", 0
                    while chunk := process.stdout.read(_CHUNK):
                        size += len(chunk)
                        if size > most:
                            raise self._too_much(arguments[0], most)
                        *whole, rest = (rest + chunk).split(b"\0")
                        said = said or bool(whole)
                        yield from whole
                    status = process.status()
                if process.timed_out:
                    raise self._stalled(process.name)
                if status and (said or not self._does_without(status, process.complaint())):
                    raise self.failure(arguments[0], status, process.complaint())
            finally:
                process.close()

    def _does_without(self, status: int, complaint: str) -> bool:
        """Whether Git may do better without what it has only to be faster, after it crashed or complained of that. It
        is done without from then on."""
        if not status or self._is_plain or not (status < 0 or any(sign in complaint for sign in _CACHES)):
            return False
        self._is_plain = True
        self._options += [argument for setting in _WITHOUT_CACHES for argument in ("-c", setting)]
        _log.warning(
            "Git failed in %s (%s); trying without its commit graph.", self._where, essence(complaint) or status
        )
        return True

    def failure(self, command: str, status: int, complaint: str) -> RepositoryError:
        """What to say of a command that failed."""
        if any(sign in complaint for sign in _PARTIAL):
            return RepositoryError(
                f"{self._where} is a partial clone and lacks objects that are needed. CodeWM does not fetch them; run "
                "`git fetch --refetch --no-filter` there."
            )
        return RepositoryError(
            f"git {command} failed in {self._where}: {essence(complaint) or f'exit status {status}'}. "
            "Run `git fsck` there to see whether it is damaged."
        )

    def hooks_folder(self) -> str:
        """The folder of hooks that the repository's configuration or the user's names; empty where none does."""
        status, out, _ = self.run("config", "--local", "--type=path", "--get", "core.hooksPath")
        if not status:
            return out.decode("utf-8", "surrogateescape").rstrip("\n")
        return _of_the_user(_program_of(os.environ), _own(os.environ), "--type=path", "--get", "core.hooksPath")

    def address_of_the_user(self) -> str:
        """The e-mail address that the user commits under here; empty where Git knows none.

        The repository's own counts first, as in Git, and is read as every command reads its configuration: within the
        limits of time and output. Of the user's file this value alone is looked at, with what that file includes for
        this repository. ``git config`` runs nothing, whatever either says.
        """
        with contextlib.suppress(RepositoryError):
            status, told, _ = self.run("config", "--get", "user.email", most=_CHUNK)
            if not status and (address := told.decode("utf-8", "replace").strip()):
                return address
        wanted = ("--global", "--includes", "--get", "user.email")
        here = str(self._location.git_dir)
        return _of_the_user(_program_of(os.environ), _own(os.environ), *wanted, git_dir=here)

    def _lists(self, program: str) -> list[str]:
        """Options by which Git ignores what the user does in all of their repositories, but for one that names a list
        of its own; and by which it leaves lists alone that it would wait for."""
        written = _written(self._location.common_dir / "config")
        if self._lists_named[0] != written:
            out = self.run("config", "-z", "--type=path", "--get-regexp", r"^core\.(excludes|attributes)file$")[1]
            pairs = (os.fsdecode(one).partition("\n") for one in out.split(b"\0") if one)
            self._lists_named = written, {name: value for name, _, value in pairs}
        named = self._lists_named[1]
        options: list[str] = []
        if "core.excludesfile" not in named:
            file = _of_the_user(program, _own(os.environ), "--type=path", "--get", "core.excludesFile")
            options = ["-c", f"core.excludesFile={file}"] if os.path.isfile(file) else []
        places = ((name, os.path.join(str(self._location.root), file)) for name, file in named.items())
        waits = (name for name, place in places if os.path.exists(place) and not os.path.isfile(place))
        return [*options, *(argument for name in waits for argument in ("-c", f"{name}={os.devnull}"))]

    def _stalled(self, name: str) -> LimitError:
        return LimitError(
            f"{name} did not finish in {self._where} and was stopped. Run `git status` and `git fsck` there "
            "to find out why."
        )

    def _gone(self) -> RepositoryError:
        return RepositoryError(f"{self._where} no longer exists. If it was moved, open it at its new place.")

    def _too_much(self, command: str, most: int) -> LimitError:
        return LimitError(
            f"git {command} printed more than {most >> 20} MB in {self._where} and was stopped. Run `git fsck` there: "
            "a repository of two million files prints less."
        )

    def _popen(self, arguments: tuple[str, ...], files: bool, memory: str) -> subprocess.Popen[bytes]:
        location = self._location
        environment = {name: value for name, value in os.environ.items() if name in _INHERITED or name[:4] != "GIT_"}
        environment |= _ENVIRONMENT
        environment["GIT_DIR"] = str(location.git_dir)
        options = self._options
        folder = os.path.abspath(os.sep)  # a process in the user's folder would keep Windows from renaming it
        if files:
            folder = environment["GIT_WORK_TREE"] = str(location.root)
            if self._index is not None:
                environment["GIT_INDEX_FILE"] = str(self._index)
            options = [*options, *self._lists(_program_of(environment))]
        else:
            environment["GIT_INDEX_FILE"] = str(location.git_dir / _NO_INDEX)
            options = ["--bare", *options]
        if memory:
            environment["GIT_ALLOC_LIMIT"] = memory
        program = _program_of(environment)
        try:
            return subprocess.Popen(
                [program, *options, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                creationflags=_FLAGS,
            )
        except OSError as error:
            if not os.path.isdir(folder) or not os.path.isdir(location.git_dir):
                raise self._gone() from error
            raise RepositoryError(
                f"{program} cannot be run: {error.strerror or error}. Check your Git installation."
            ) from error


def essence(complaint: str) -> str:
    """What Git says of a failure in one line, without its advice."""
    lines = (line.strip() for line in complaint.splitlines())
    said = " ".join(line for line in lines if line and not line.startswith("hint:"))
    return "".join(character if character.isprintable() else "?" for character in said)[:_LONGEST]


def _program_of(environment: Mapping[str, str]) -> str:
    return _program(os.environ.get(_EXECUTABLE) or "git", environment.get("PATH", os.defpath))


def _own(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The variables by which Git finds the user's own configuration, and what they may hold."""
    return tuple((name, environment[name]) for name in _OF_THE_USER if name in environment)


def _written(file: Path) -> object:
    try:
        status = file.stat()
    except OSError:
        return "not there"
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=8)
def _of_the_user(program: str, own: tuple[tuple[str, str], ...], *arguments: str, git_dir: str = os.devnull) -> str:
    """What ``git config`` says of the user's own configuration; empty where it says nothing."""
    inherited = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        done = subprocess.run(
            [program, "config", *arguments],
            cwd=os.path.abspath(os.sep),
            env=inherited | dict(own) | _NOWHERE | {"GIT_DIR": git_dir},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            creationflags=_FLAGS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(done.stdout).rstrip("\r\n")


@lru_cache(maxsize=8)
def _program(name: str, path: str) -> str:
    """Where Git lies: never in the working directory, which may be a stranger's, whatever PATH says."""
    if os.path.dirname(name):
        candidates = [os.path.abspath(name)]
    else:
        places = filter(os.path.isabs, path.split(os.pathsep))
        candidates = [os.path.join(place, file) for place in places for file in (name, f"{name}{_SUFFIX}")]
    for candidate in candidates:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise RepositoryError(
        f"{name!r} cannot be run. Install Git (https://git-scm.com) and put it on PATH, or set {_EXECUTABLE} to its "
        "full path."
    )
