"""ONNX Runtime, loaded when it is first needed: that takes longer than many an answer for which it is not."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def load() -> Any:
    """The module, with telemetry off (on Windows it goes through the system)."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime
