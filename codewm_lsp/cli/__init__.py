"""``codewm``: the command line. Thin: questions and answers in words and in JSON; the work is done below."""

from codewm_lsp.import_path import leave_out_working_directory

__all__ = ["main"]


def main() -> None:
    """The ``codewm`` command; ends the process."""
    leave_out_working_directory()
    import signal

    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while nothing has begun, it ends the process without a word
    from codewm_lsp.cli.app import main as run

    signal.signal(signal.SIGINT, interrupted)
    run()
