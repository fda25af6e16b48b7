"""Clones to measure on, and a model of which both the bundle and the weights are at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codewm_export.bundle_weights import weights_of_bundle
from codewm_lsp.world_model import shipped
from codewm_model.artifacts.run_folder import write_run
from codewm_model.evaluation.smoke import make_repositories
from codewm_model.settings.config import Config


@pytest.fixture(scope="session")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small clones, as CODEWM_REPOS names one."""
    folder = tmp_path_factory.mktemp("clones")
    assert make_repositories(folder) == ["alpha/orders", "beta/sensors", "gamma/library"]
    return folder


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle as a training run: its weights, and the bundle beside them."""
    folder = tmp_path_factory.mktemp("run")
    model, common, metadata = weights_of_bundle(shipped())
    write_run(folder, model, common, Config.from_dict(metadata["config"]), metadata)
    for file in shipped().iterdir():
        if file.is_file() and file.name != "config.json":
            shutil.copy(file, folder / file.name)
    return folder
