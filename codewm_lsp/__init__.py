"""CodeWM: a tiny world model of code that shows the past edits most like the one at hand."""

import os

# ONNX Runtime (1.29 and newer) reports every process that uses it to its maker, unless it is told not to before it is
# loaded. Whatever is set outside: nothing leaves the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
