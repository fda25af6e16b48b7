"""One core at the most, and no waiting in circles: what numerical libraries are told before they are loaded."""

from __future__ import annotations

import os
from typing import Final

_LIBRARIES: Final = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def stay_on_one_core() -> None:
    """To be called before NumPy is imported, by the commands that run beside an editor.

    OpenBLAS would start a thread a core for products far too small to share, and have each of them spin between two:
    on a busy machine that more than doubled the time of a refresh. What the user has set is left as it is.
    """
    for name in _LIBRARIES:
        os.environ.setdefault(name, "1")
