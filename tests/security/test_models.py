"""A model folder is data: whatever is in it, it is loaded or refused with one message, and nothing else happens."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from codewm_lsp.errors import BundleError
from codewm_lsp.world_model import WorldModel, shipped
from tests.security.conftest import Run, service

EDIT = ("def f(a):\n    return a\n", "def f(a, b):\n    return a + b\n")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the shipped model."""
    return Path(shutil.copytree(shipped(), tmp_path / "bundle"))


def put(bundle: Path, name: str, content: bytes) -> None:
    """Replace a file, and vouch for it."""
    (bundle / name).write_bytes(content)
    metadata = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    metadata["files"][name] = hashlib.sha256(content).hexdigest()
    (bundle / "model.json").write_text(json.dumps(metadata), encoding="utf-8")


def transition(nodes: list[Any], constants: list[Any]) -> bytes:
    """A graph with the inputs and outputs of the transition model."""
    graph = helper.make_graph(
        nodes,
        "transition",
        [
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["B", 128]),
            helper.make_tensor_value_info("action", TensorProto.FLOAT, ["B", 15]),
        ],
        [helper.make_tensor_value_info("next_state", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def test_metadata_that_is_nested_without_end(bundle: Path) -> None:
    (bundle / "model.json").write_text("[" * 200_000 + "]" * 200_000, encoding="utf-8")
    with pytest.raises(BundleError, match=r"model\.json cannot be read"):
        WorldModel.load(bundle)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and devices that are files")
@pytest.mark.parametrize("name", ["model.json", "edit.onnx", "words.bin"])
def test_pipes_devices_folders_and_endless_files_are_not_read(bundle: Path, name: str) -> None:
    file = bundle / name
    for make in (
        lambda: os.mkfifo(file),
        lambda: file.symlink_to("/dev/zero"),
        lambda: file.symlink_to(file.name),
        file.mkdir,
    ):
        file.unlink()
        make()
        with pytest.raises(BundleError, match=r"cannot be read"):
            WorldModel.load(bundle)
        if file.is_dir():
            file.rmdir()
            file.touch()
    os.truncate(file, 1 << 40)  # a terabyte of nothing
    with pytest.raises(BundleError, match=r"1,099,511,627,776 bytes"):
        WorldModel.load(bundle)


def test_words_that_are_none(bundle: Path) -> None:
    put(bundle, "words.bin", b"abc")
    with pytest.raises(BundleError, match=r"words\.bin is not a list of words"):
        WorldModel.load(bundle)
    put(bundle, "words.bin", b"")
    assert WorldModel.load(bundle).embed_edits([EDIT]).shape[0] == 1


def test_a_name_that_would_drive_a_terminal(bundle: Path) -> None:
    metadata = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    metadata["name"] = "\x1b]0;evil\x07 model\n" * 100
    (bundle / "model.json").write_text(json.dumps(metadata), encoding="utf-8")
    name = WorldModel.load(bundle).name
    assert name.isprintable()
    assert len(name) <= 80


def test_a_graph_in_anothers_place(bundle: Path) -> None:
    put(bundle, "edit.onnx", (bundle / "state.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"edit\.onnx is not that graph"):
        WorldModel.load(bundle)


def test_weights_that_lie_in_another_file_are_not_fetched(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX lets a graph name a file with its weights: any file, if it were followed."""
    (tmp_path / "secret").write_bytes(bytes(15 * 128 * 4))
    monkeypatch.chdir(tmp_path)
    for location in ("secret", "../secret", str(tmp_path / "secret"), "https://evil.example/weights"):
        weights = helper.make_tensor("w", TensorProto.FLOAT, [15, 128], bytes(15 * 128 * 4), raw=True)
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(15 * 128 * 4))):
            entry = weights.external_data.add()
            entry.key, entry.value = key, value
        nodes = [
            helper.make_node("MatMul", ["action", "w"], ["moved"]),
            helper.make_node("Add", ["state", "moved"], ["next_state"]),
        ]
        put(bundle, "transition.onnx", transition(nodes, [weights]))
        with pytest.raises(BundleError, match=r"cannot load .*transition\.onnx"):
            WorldModel.load(bundle)


@pytest.mark.parametrize("evil", ["a terabyte", "no rows", "not a number", "wrong at run time"])
def test_a_graph_that_computes_nonsense_is_named(bundle: Path, evil: str) -> None:
    def constant(name: str, values: list[int]) -> Any:
        return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)

    nodes = {
        "a terabyte": [helper.make_node("ConstantOfShape", ["size"], ["next_state"])],
        "no rows": [helper.make_node("ConstantOfShape", ["none"], ["next_state"])],
        "not a number": [
            helper.make_node("Sub", ["state", "state"], ["zero"]),
            helper.make_node("Div", ["zero", "zero"], ["next_state"]),
        ],
        "wrong at run time": [helper.make_node("Reshape", ["state", "odd"], ["next_state"])],
    }[evil]
    constants = [constant("size", [1 << 20, 1 << 18]), constant("none", [0, 128]), constant("odd", [7, -1])]
    used = {name for node in nodes for name in node.input}
    put(bundle, "transition.onnx", transition(nodes, [one for one in constants if one.name in used]))
    with pytest.raises(BundleError, match=r"transition\.onnx cannot be used"):  # noqa: PT012 – either is right
        model = WorldModel.load(bundle)
        model.predict_state(["def f():\n    pass\n"], model.embed_edits([EDIT])[:, :15] * 0)


def test_the_command_says_it_in_one_line(bundle: Path, make_repository: Callable[..., Any], codewm: Run) -> None:
    repository = make_repository()
    repository.commit("Begin", {"a.py": service("users")})
    repository.commit("Add timeout", {"a.py": service("users", timeout=True)})
    put(bundle, "edit.onnx", (bundle / "state.onnx").read_bytes())
    done = codewm("similar", "-C", repository.path, "--model", bundle)
    assert (done.returncode, done.stdout) == (2, "")
    assert "edit.onnx" in done.stderr
    assert done.stderr.count("\n") == 1
