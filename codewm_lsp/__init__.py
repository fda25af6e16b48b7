"""CodeWM: a tiny world model of code that shows the past edits most like the one at hand."""

__version__ = "0.1.0"
