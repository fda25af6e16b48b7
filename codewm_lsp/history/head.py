"""Where HEAD stands, read from Git's files: an editor asks at every pause, and a process for each is too slow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from codewm_lsp.history.location import Location

_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LONGEST: Final = 4096  # bytes of a file of Git's that names a commit or a ref


def head_on_disk(location: Location) -> str | None:
    """The id that HEAD or the branch it names holds; None where only Git can tell (a packed ref, a reftable …).

    Nothing is verified: what stands there may be no commit.
    """
    try:
        text = _first_line(location.git_dir / "HEAD")
        if text.startswith("ref: refs/heads/") and ".." not in text:
            text = _first_line(location.common_dir / text.removeprefix("ref: "))
    except (OSError, ValueError):
        return None
    return text if _SHA.fullmatch(text) else None


def _first_line(file: Path) -> str:
    with file.open("rb") as stream:
        return stream.readline(_LONGEST).decode("utf-8").rstrip()
