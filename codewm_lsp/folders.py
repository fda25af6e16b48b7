"""Where CodeWM keeps what it writes: the folders of the system for caches and logs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

NO_FOLDER = "there is no home folder (set HOME)"


def cache_folder() -> Path | None:
    """The folder of the indexes: ``CODEWM_CACHE``, or the user's cache folder; None where the user has none."""
    chosen = os.environ.get("CODEWM_CACHE")
    return Path(chosen) if chosen else usual_cache_folder()


def usual_cache_folder() -> Path | None:
    """The same where nobody has chosen another."""
    return _usual(platformdirs.user_cache_dir)


def log_folder() -> Path | None:
    """The folder of the logs, which need not exist; None where the user has none."""
    return _usual(platformdirs.user_log_dir)


def _usual(of: Callable[..., str]) -> Path | None:
    if os.name == "posix":
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            # Their specification has relative ones ignored: they would lead into whatever folder one stands in.
            if name in os.environ and not os.path.isabs(os.environ[name]):
                del os.environ[name]
    try:
        folder = Path(of("codewm", appauthor=False))
    except RuntimeError:  # no home: a user without a name
        return None
    return folder if folder.is_absolute() else None  # older versions of the library leave the "~" there
