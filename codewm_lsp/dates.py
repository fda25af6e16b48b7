"""Dates of commits, which may claim any year."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def moment(seconds: int) -> datetime:
    """Unix seconds as a date in UTC, up to the end of 9999; ``datetime.fromtimestamp`` ends in 3000 on Windows."""
    return _EPOCH + timedelta(seconds=int(seconds))
