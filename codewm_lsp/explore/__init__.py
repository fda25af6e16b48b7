"""One repository's past edits as a page that opens from the disk: what it holds, and how it is written."""

from codewm_lsp.explore.atlas import MOST_EDITS, Atlas, gather
from codewm_lsp.explore.page import write

__all__ = ["MOST_EDITS", "Atlas", "gather", "write"]
