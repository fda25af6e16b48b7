"""The ranker as a file of the model bundle."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.errors import BundleError
from codewm_lsp.hints import HintOptions
from codewm_lsp.ranking import ranker_of
from codewm_lsp.ranking.ranker_file import shipped_ranker, to_bytes
from codewm_lsp.world_model import WorldModel, shipped
from codewm_lsp.world_model.bundle import MAX_BYTES, RANKER, read_bundle
from tests.ranking.conftest import Put


def test_the_shipped_ranker_is_small_and_written_as_it_was_read() -> None:
    bundle = read_bundle(shipped())
    assert bundle.ranker is not None
    assert len(bundle.ranker) <= 60_000
    assert bundle.bytes <= MAX_BYTES
    ranker = ranker_of(bundle)
    with zipfile.ZipFile(io.BytesIO(bundle.ranker)) as ours, zipfile.ZipFile(io.BytesIO(to_bytes(ranker))) as again:
        assert {name: ours.read(name) for name in ours.namelist()} == {
            name: again.read(name) for name in again.namelist()
        }
    assert HintOptions().threshold == ranker.threshold


def test_the_ranker_does_not_change_what_a_model_is_called(copy: Path, put: Put) -> None:
    """Indexes are named after it: another ranker must not have them built anew."""
    ranker = shipped_ranker()
    put(RANKER, to_bytes(replace(ranker, threshold=0.5, surer=2.5)))
    changed = WorldModel.load(copy)
    assert changed.hash == WorldModel.load().hash
    assert (ranker_of(changed.bundle).threshold, ranker_of(changed.bundle).surer) == (0.5, 2.5)
    put(RANKER, None)
    assert WorldModel.load(copy).hash == changed.hash


def test_a_model_without_a_ranker_gets_the_shipped_one(copy: Path, put: Put) -> None:
    put(RANKER, None)
    assert ranker_of(read_bundle(copy)) is shipped_ranker()


def test_what_an_earlier_version_wrote_of_the_model_s_logits_is_not_read(copy: Path, put: Put) -> None:
    calibration = {"weight": 0.5, "slope": 0.9, "intercept": 0.1, "mean": 1.0, "deviation": 2.0}

    def as_before(said: dict[str, Any]) -> None:
        said.update(calibration=calibration)
        said["several"].pop("less", None)

    put(RANKER, packed(as_before))
    assert ranker_of(read_bundle(copy)) == shipped_ranker()


def test_a_ranker_that_was_changed_since_or_is_missing_is_named(copy: Path) -> None:
    data = (copy / RANKER).read_bytes()
    (copy / RANKER).write_bytes(data[:-1])
    with pytest.raises(BundleError, match=r"ranker\.npz is truncated or was changed"):
        read_bundle(copy)
    (copy / RANKER).unlink()
    with pytest.raises(BundleError, match=r"ranker\.npz cannot be read"):
        read_bundle(copy)


def packed(change: Callable[[dict[str, Any]], None] = lambda arrays: None, **arrays: Any) -> bytes:
    """The shipped ranker, but for what is said of it and these arrays."""
    data = read_bundle(shipped()).ranker
    assert data is not None
    with np.load(io.BytesIO(data)) as archive:
        found: dict[str, Any] = dict(archive)
    description = json.loads(found["description"].tobytes())
    change(description)
    found["description"] = np.frombuffer(json.dumps(description).encode(), np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, **{**found, **arrays})
    return out.getvalue()


def entry(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def huge(shape: str) -> bytes:
    """An array that says it is larger than it is."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"abcd"


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "no archive": (lambda: b"nothing of the kind", "zip"),
    "no arrays": (lambda: entry("description.npy", b"no array"), "magic"),
    "an object": (lambda: packed(definition_weights=np.array([{}], dtype=object)), "holds no numbers"),
    "a bomb": (lambda: entry("description.npy", bytes(64 << 20)), "unpacks to more than"),
    "a lie": (lambda: entry("description.npy", huge("(1000000000000,)")), "reshape"),
    "another format": (lambda: packed(lambda said: said.update(format=9)), "its format is 9, this version reads 1"),
    "a signal there is not": (
        lambda: packed(lambda said: said["file"]["asked"].__setitem__(0, "thickness")),
        "no signal 'thickness'",
    ),
    "no factor": (lambda: packed(lambda said: said.update(surer=0.0)), "no factor"),
    "no probability": (lambda: packed(lambda said: said.update(threshold=7.0)), "not a probability"),
    "a part of the joint weights": (lambda: packed(lambda said: said["joint"].pop("own")), "its joint does not have"),
    "words for numbers": (lambda: packed(lambda said: said["several"].update(older="x")), "its several does not have"),
    "no table": (lambda: packed(file_weights=np.zeros((2, 2), np.float32)), "not a table"),
    "weights that are no numbers": (
        lambda: packed(lambda said: said["file"].update(weighed=["coupling"]), file_weights=np.full((6, 1), np.nan)),
        "not a table",
    ),
    "trees that end early": (lambda: packed(file_tree_column=np.array([0], np.int16)), "differ in length"),
    "trees in a table": (lambda: packed(file_tree_column=np.array([[-1]], np.int16)), "differ in length"),
    "arrays nobody knows": (lambda: packed(file_tree_bark=np.zeros(3)), "bark"),
    "nesting without end": (
        lambda: packed(description=np.frombuffer(b"[" * 100_000, np.uint8)),
        "recursion|RecursionError",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_ranker_is_data_that_is_refused_with_one_message(copy: Path, put: Put, name: str) -> None:
    make, message = BROKEN[name]
    put(RANKER, make())
    bundle = read_bundle(copy)
    with pytest.raises(BundleError, match=rf"ranker\.npz cannot be used \(.*(?:{message}).*\): train the model again"):
        ranker_of(bundle)


def test_whatever_bytes_vouched_for_end_in_one_message(copy: Path, put: Put) -> None:
    data = bytearray((copy / RANKER).read_bytes())
    chance = np.random.default_rng(0)
    for _ in range(120):
        broken = bytearray(data)
        for at in chance.integers(0, len(data), 3):
            broken[at] ^= int(chance.integers(1, 256))
        put(RANKER, bytes(broken))
        bundle = read_bundle(copy)
        with contextlib.suppress(BundleError):
            ranker_of(bundle)
