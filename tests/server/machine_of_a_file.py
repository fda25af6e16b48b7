"""``codewm-lsp`` on a machine whose load and battery stand in a file: the first argument. Run by tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from codewm_lsp.server import pace, program

FILE = Path(sys.argv.pop(1))


class MeterOfAFile(pace.Meter):
    """Reads the machine from the file instead of the system."""

    def start(self) -> None:
        """Nothing needs to be measured."""

    def read(self) -> pace.Machine:
        """The machine as it is written down."""
        return pace.Machine(**json.loads(FILE.read_text(encoding="utf-8")))


pace.Meter = MeterOfAFile  # type: ignore[misc]
pace.HEAD_START = 0.0  # type: ignore[misc]
pace.WAIT = 0.05  # type: ignore[misc]
sys.exit(program.main())
