"""``python -m codewm_lsp.server``."""

import sys

from codewm_lsp.server import main

sys.exit(main())
