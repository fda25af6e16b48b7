"""Imports walk one way through the rooms, and nothing that runs in the editor knows torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What each room may import from: itself and these. `errors` is anyone's.
BEFORE: dict[str, dict[str, set[str]]] = {
    "codewm_lsp": {
        "source": set(),
        "history": {"source"},
        "world_model": {"history", "source"},
        "index": {"history", "source", "world_model"},
        "stores": {"index", "history", "source"},
        "ranking": {"index", "world_model", "history", "source"},
        "hints": {"ranking", "index", "world_model", "history", "source"},
        "explore": {"index", "history", "source"},
        "server": {"hints", "ranking", "stores", "index", "world_model", "history", "source"},
        "cli": {"explore", "hints", "ranking", "stores", "index", "world_model", "history", "source"},
    },
    "codewm_model": {
        "settings": set(),
        "networks": {"settings"},
        "artifacts": {"networks", "settings"},
        "data": {"settings"},
        "evaluation": {"data", "artifacts", "networks", "settings"},
        "ranking": {"evaluation", "data", "artifacts"},
        "training": {"evaluation", "data", "artifacts", "networks", "settings"},
        "cli": {"training", "ranking", "evaluation", "data", "artifacts", "networks", "settings"},
    },
}
PACKAGES = {"codewm_lsp": "codewm_lsp", "codewm_model": "model/codewm_model", "codewm_export": "export/codewm_export"}
TRAINING = {"torch", "onnx", "onnxscript", "safetensors", "codewm_model", "codewm_export"}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides its room"
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize(("package", "room"), [(package, room) for package in BEFORE for room in BEFORE[package]])
def test_a_room_imports_only_rooms_before_it(package: str, room: str) -> None:
    files = modules(f"{PACKAGES[package]}/{room}")
    assert files
    allowed = BEFORE[package][room] | {room}
    for file in files:
        for name in imports(file):
            parts = name.split(".")
            if parts[0] == package and len(parts) > 1 and parts[1] in BEFORE[package]:
                assert parts[1] in allowed, f"{file.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", BEFORE)
def test_every_folder_is_a_room_that_is_written_down(package: str) -> None:
    folders = {file.parent.name for file in (ROOT / PACKAGES[package]).glob("*/__init__.py")}
    assert folders - {"models"} == set(BEFORE[package])


def test_the_world_model_does_not_know_the_index() -> None:
    for file in modules("codewm_lsp/world_model"):
        assert not any(name.startswith("codewm_lsp.index") for name in imports(file)), file


def test_what_runs_in_the_editor_imports_nothing_of_training() -> None:
    for file in modules("codewm_lsp"):
        for name in imports(file):
            assert name.split(".")[0] not in TRAINING, f"{file.relative_to(ROOT)} imports {name}"


def test_the_trainer_does_not_know_the_exporter() -> None:
    for file in modules("model/codewm_model"):
        assert not any(name.split(".")[0] == "codewm_export" for name in imports(file)), file


def test_no_serialised_python_objects_are_ever_loaded() -> None:
    for folder in PACKAGES.values():
        for file in modules(folder):
            assert not {"pickle", "joblib", "dill", "marshal"} & set(imports(file)), file
