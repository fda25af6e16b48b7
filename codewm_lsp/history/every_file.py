"""Which files of any kind a person changes by hand, by their paths alone: nothing of them is read.

Secrets, what programs write (lock files, minified and generated code), other people's code and binary files are not
among them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from codewm_lsp.history.globs import matches_any
from codewm_lsp.history.paths import DEFAULT_EXCLUDE, is_secret

_SECRET: Final = re.compile(
    r"(?:^|/)(?:\.netrc|\.pypirc|\.npmrc|\.htpasswd|id_(?:rsa|dsa|ecdsa|ed25519)[^/]*"
    r"|[^/]*(?:secret|credential|password)s?\.(?:json|ya?ml|toml|ini|cfg|txt|env))$"
    r"|\.(?:pem|key|p12|pfx|keystore|jks|kdbx|asc|gpg)$",
    re.IGNORECASE,
)
_WRITTEN_BY_PROGRAMS: Final = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|go\.sum|[^/]*\.lock|[^/]*\.lockb"
    r"|[^/]*\.min\.(?:js|css)|[^/]*\.(?:js|css)\.map|[^/]*_pb2(?:_grpc)?\.[^./]+|[^/]*\.pb\.go|[^/]*\.egg-info/.*)$"
)
_OTHERS: Final = re.compile(r"(?:^|/)(?:node_modules|vendor|vendored|_vendor|third_party|bower_components)/")
_BINARY: Final = re.compile(
    r"\.(?:class$|(?:png|jpe?g|gif|ico|icns|bmp|webp|tiff?|psd|pdf|zip|gz|tgz|bz2|xz|zst|lz4|br|7z|rar|tar|whl|jar|pyc|pyd"
    r"|so|dll|dylib|exe|o|a|lib|bin|dat|mo|db|sqlite3?|npy|npz|parquet|feather|h5|hdf5|nc|onnx|pt|pkl|pickle|woff2?|ttf"
    r"|otf|eot|mp[34]|m4a|ogg|wav|flac|avi|mov|webm)$)",
    re.IGNORECASE,
)


@lru_cache(maxsize=1 << 16)
def is_by_hand(path: str) -> bool:
    """Whether changes of a file of this path (with ``/``) are a person's, as far as the path tells."""
    return not (
        is_secret(path)
        or _SECRET.search(path)
        or _WRITTEN_BY_PROGRAMS.search(path)
        or _OTHERS.search(path)
        or _BINARY.search(path)
        or matches_any(path, DEFAULT_EXCLUDE)
    )
