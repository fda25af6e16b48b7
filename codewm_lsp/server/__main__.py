"""``python -m codewm_lsp.server``."""

import sys

from codewm_lsp.server.program import main

sys.exit(main())
