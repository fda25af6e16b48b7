"""Every error a user can meet.

CodewmError
├── RepositoryError          a folder that cannot be used as a Git repository
├── BundleError              a model bundle that is missing, foreign, truncated or of another version
├── IndexStoreError          an index or a store that is locked, damaged or cannot be written
│   └── StoreFailedError     a store that is out of reach, or answers what makes no sense
├── NothingToAnswerError     a question that is right, with nothing to answer it from
├── OptionError              a setting or an argument that makes no sense
├── OutputError              standard output that cannot be written
└── TrainingError            a corpus, configuration or checkpoint that cannot be trained from

Each message says what happened, to which file or setting, and what to do.
"""

from __future__ import annotations


class CodewmError(Exception):
    """Base of every expected failure; its text is fit to be shown to a user as it is."""


class RepositoryError(CodewmError):
    """The folder is no usable Git repository (not one at all, no commits, damaged)."""


class BundleError(CodewmError):
    """The model bundle cannot be used."""


class IndexStoreError(CodewmError):
    """The index on disk cannot be used."""


class StoreFailedError(IndexStoreError):
    """A store cannot be asked at present; what the repository at hand says can be answered without it."""


class NothingToAnswerError(CodewmError):
    """The question is right, and there is nothing to answer it from."""


class OptionError(CodewmError):
    """A setting or an argument is wrong."""


class OutputError(CodewmError):
    """The answer cannot be written."""


class TrainingError(CodewmError):
    """Training cannot start or go on."""
