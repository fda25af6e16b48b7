"""Dates of commits, which may claim any year, and how long ago they are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_UNITS: Final = (
    ("year", 365.25 * 86_400),
    ("month", 30.44 * 86_400),
    ("week", 7 * 86_400),
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
)


def moment(seconds: int) -> datetime:
    """Unix seconds as a date in UTC, up to the end of 9999; ``datetime.fromtimestamp`` ends in 3000 on Windows."""
    return _EPOCH + timedelta(seconds=int(seconds))


def age(seconds: float) -> str:
    """How long ago: ``"4 months ago"``, ``"just now"`` below a minute."""
    for unit, length in _UNITS:
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
