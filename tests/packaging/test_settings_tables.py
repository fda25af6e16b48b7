"""Every table of settings is the one that the server's options make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_table_lists_every_setting_with_its_default() -> None:
    checked = [sys.executable, str(ROOT / "scripts" / "settings.py"), "--check"]
    done = subprocess.run(checked, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
