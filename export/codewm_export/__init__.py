"""PyTorch → ONNX → int4 bundle, with a parity check that fails the export when it is broken."""

import codewm_lsp  # noqa: F401 – tells ONNX Runtime, before it is loaded, to report nothing
