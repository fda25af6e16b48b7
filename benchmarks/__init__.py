"""How fast CodeWM is, against the budgets of its design. Run ``python -m benchmarks REPOSITORY``."""
