"""How fast CodeWM is, against the budgets of its design. Run ``python -m benchmarks REPOSITORY``."""

from codewm_lsp.threads import stay_on_one_core

stay_on_one_core()
