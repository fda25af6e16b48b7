"""Git, through GitPython, with everything off by which a repository could make it run or fetch something.

Every command is a list of arguments (no shell). The repository is named by ``GIT_DIR``, so that Git's own search, and
with it ``safe.directory``, plays no part: a folder that belongs to another user is read as any other, as data. The
user's and the system's configuration are not read. The repository's is, and these settings of it are overruled.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Sequence
from subprocess import PIPE
from typing import IO, Any, Final

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # a missing git is reported by us, not by the import

from git.cmd import Git
from git.exc import GitCommandNotFound

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history.location import Location

_OVERRULED: Final = (
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
    "log.showSignature=false",
    "maintenance.auto=false",
    "protocol.allow=never",
    "submodule.recurse=false",
)
_PARTIAL: Final = ("lazy fetching disabled", "from promisor remote")
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_ASKPASS": "",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_EXTERNAL_DIFF": "",
    "GIT_LITERAL_PATHSPECS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_SSH_COMMAND": "",
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS": "",
}


class GitProcess:
    """A running Git whose standard error is drained by a thread, so that it can never block on it."""

    def __init__(self, process: Git.AutoInterrupt, name: str) -> None:
        self._process = process
        self._complaint = b""
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
        self._drain = threading.Thread(target=self._read_errors, args=(process.stderr,), name=name, daemon=True)
        self._drain.start()

    def _read_errors(self, stream: IO[bytes]) -> None:
        # Not through the stream's buffer, whose lock this thread would still hold when the interpreter ends.
        with contextlib.suppress(OSError, ValueError):  # closed under us: the process was ended
            descriptor = stream.fileno()
            while chunk := os.read(descriptor, 4096):
                self._complaint = (self._complaint + chunk)[-4096:]

    def complaint(self) -> str:
        """The end of what Git wrote on standard error; to be asked once its output has ended."""
        self._drain.join(timeout=5)
        return self._complaint.decode("utf-8", "replace").strip()

    def status(self) -> int:
        """Wait for the end of the process; its exit status."""
        process = self._process.proc
        assert process is not None, "asked after close()"
        return int(process.wait())

    def close(self) -> None:
        """End the process, whatever it is doing. Harmless when repeated."""
        process = self._process.proc
        if process is None:
            return
        with contextlib.suppress(OSError):
            self.stdin.close()
        with contextlib.suppress(OSError):
            process.terminate()
        process.wait()
        if not sys.is_finalizing():  # threads like this one no longer run then
            self._drain.join(timeout=5)
        self._process._terminate()


class HardenedGit:
    """Runs Git in one repository."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._git = Git(str(location.root or location.git_dir))
        environment = dict(_ENVIRONMENT, GIT_DIR=str(location.git_dir))
        if location.root is not None:
            environment["GIT_WORK_TREE"] = str(location.root)
        # What a calling Git (a hook, an alias) may have set for another repository.
        for name, value in {
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
            "GIT_COMMON_DIR": str(location.common_dir),
            "GIT_INDEX_FILE": str(location.git_dir / "index"),
            "GIT_NAMESPACE": "",
            "GIT_OBJECT_DIRECTORY": str(location.common_dir / "objects"),
            "GIT_REF_PARANOIA": "0",
            "GIT_SHALLOW_FILE": str(location.common_dir / "shallow"),
            "GIT_GRAFT_FILE": os.devnull,
        }.items():
            if name in os.environ:
                environment[name] = value
        self._git.update_environment(**environment)
        self._options = [argument for setting in _OVERRULED for argument in ("-c", setting)]
        if location.root is None:
            self._options += ["-c", "core.bare=true"]

    def start(self, *arguments: str) -> GitProcess:
        """Start a command and leave it running; its pipes carry bytes."""
        return GitProcess(self._execute(arguments, as_process=True, istream=PIPE), f"git {arguments[0]}")

    def run(self, *arguments: str) -> tuple[int, bytes, str]:
        """Run a command to its end: exit status, standard output, standard error."""
        status, out, complaint = self._execute(
            arguments,
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
        )
        return status, out, complaint

    def output(self, *arguments: str) -> bytes:
        """Standard output of a command that ought to succeed; ``RepositoryError`` when it does not."""
        status, out, complaint = self.run(*arguments)
        if status and any(sign in complaint for sign in _PARTIAL):
            raise RepositoryError(
                f"{self._location.root or self._location.git_dir} is a partial clone, and what is needed of it is not "
                "on this machine. Nothing is fetched for you; run `git fetch --refetch --no-filter` there."
            )
        if status:
            raise RepositoryError(
                f"git {arguments[0]} failed in {self._location.root or self._location.git_dir}: "
                f"{complaint.strip() or f'exit status {status}'}. Run `git fsck` there to see whether it is damaged."
            )
        return out

    def _execute(self, arguments: Sequence[str], **options: Any) -> Any:
        program = Git.GIT_PYTHON_GIT_EXECUTABLE or "git"
        try:
            return self._git.execute([program, *self._options, *arguments], **options)
        except (GitCommandNotFound, PermissionError) as error:
            raise RepositoryError(
                f"The program {program!r} cannot be run. Install Git (https://git-scm.com) and put it on the PATH, or "
                "name it in the environment variable GIT_PYTHON_GIT_EXECUTABLE."
            ) from error
