"""PyTorch → ONNX → int4 bundle, with a parity check that fails the export when it is broken."""
