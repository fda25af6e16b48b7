"""``python -m codewm_model.cli``, for ``torchrun -m codewm_model.cli``."""

from codewm_model.cli import main

main()
