"""Keep Python from importing modules out of the folder a program is started in, which may be a stranger's repository.

``os`` and ``sys`` are loaded before any of our lines run. Anything else that this module, or an ``__init__`` above a
program's ``main``, imports would be looked up in that folder first: not even ``__future__`` may be.
"""

import os
import sys


def leave_out_working_directory() -> None:
    """Drop what means the working directory, or is named from it, from ``sys.path`` and ``PYTHONPATH``.

    That is: empty entries of ``PYTHONPATH`` (as in ``/opt/lib:``), ``.`` and other relative ones, and what ``-c`` and
    ``-m`` put first. Absolute entries are the user's choice and stay, and so do the folders of the standard library
    and of CodeWM, wherever a program is started. Every ``main`` calls this before it imports anything else.
    """
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        here = os.sep

    def full(entry: str) -> str:
        return os.path.normcase(os.path.normpath(os.path.join(here, entry)))

    entries = os.environ["PYTHONPATH"].split(os.pathsep) if os.environ.get("PYTHONPATH") else []
    kept = [entry for entry in entries if os.path.isabs(entry)]
    unwanted = {full(entry) for entry in entries if not os.path.isabs(entry)}  # in sys.path they are absolute
    if sys.path and full(sys.path[0]) == full(""):
        unwanted.add(full(""))
    trusted = {full(os.path.dirname(os.__file__)), full(os.path.dirname(os.path.dirname(__file__)))}
    sys.path[:] = [entry for entry in sys.path if full(entry) in trusted or full(entry) not in unwanted]

    # For the processes that this one starts.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    elif entries:
        del os.environ["PYTHONPATH"]
