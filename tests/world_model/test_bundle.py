"""A bundle that is not what it should be is refused with one clear message."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from codewm_lsp.errors import BundleError
from codewm_lsp.world_model import WorldModel, shipped
from codewm_lsp.world_model.bundle import bundle_hash


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped(), tmp_path / "bundle"))


def _change(folder: Path, **values: object) -> None:
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_a_whole_copy_loads_and_has_the_same_hash(copy: Path) -> None:
    assert WorldModel.load(copy).hash == WorldModel.load().hash


@pytest.mark.parametrize("name", ["state.onnx", "edit.onnx", "next.onnx", "transition.onnx", "words.bin"])
def test_a_truncated_file_is_named(copy: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match=rf"{name} is truncated or was changed"):
        WorldModel.load(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "next.onnx").unlink()
    with pytest.raises(BundleError, match=r"next\.onnx cannot be read"):
        WorldModel.load(copy)


def test_a_folder_that_is_no_bundle_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is not a model \(it has no model\.json\)"):
        WorldModel.load(tmp_path)
    with pytest.raises(BundleError, match="is not a model"):
        WorldModel.load(tmp_path / "not there")


def test_metadata_that_is_no_json_is_named(copy: Path) -> None:
    (copy / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(BundleError, match=r"model\.json cannot be read"):
        WorldModel.load(copy)


def test_a_bundle_of_another_format_is_refused(copy: Path) -> None:
    _change(copy, format=99)
    with pytest.raises(BundleError, match="format 99, and this version reads 1"):
        WorldModel.load(copy)


@pytest.mark.parametrize("key", ["tokeniser_version", "vocabulary_hash", "features_version"])
def test_a_bundle_for_other_tokens_is_refused(copy: Path, key: str) -> None:
    _change(copy, **{key: "other"})
    with pytest.raises(BundleError, match=f"made for {key} 'other'"):
        WorldModel.load(copy)


def test_a_foreign_graph_with_a_matching_checksum_is_refused_too(copy: Path) -> None:
    import hashlib

    (copy / "next.onnx").write_bytes(b"not a graph at all")
    files = json.loads((copy / "model.json").read_text(encoding="utf-8"))["files"]
    files["next.onnx"] = hashlib.sha256(b"not a graph at all").hexdigest()
    _change(copy, files=files)
    with pytest.raises(BundleError, match=r"cannot load .*next\.onnx"):
        WorldModel.load(copy)


def test_the_hash_depends_on_every_file() -> None:
    assert bundle_hash({"a": "1", "b": "2"}) == bundle_hash({"b": "2", "a": "1"})
    assert bundle_hash({"a": "1", "b": "2"}) != bundle_hash({"a": "1", "b": "3"})
