"""The recipes for package managers are of this version, and name what it needs and the programs it has."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import codewm_lsp

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROGRAMS: dict[str, str] = PROJECT["scripts"]
CALLED = {"tree-sitter": "tree_sitter"}  # by conda-forge; other names are the same in lower case


@pytest.fixture
def conda() -> dict[str, Any]:
    recipe: dict[str, Any] = yaml.safe_load((ROOT / "recipes" / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    return recipe


def test_conda_s_recipe_is_of_this_version_and_place(conda: dict[str, Any]) -> None:
    assert conda["context"]["version"] == codewm_lsp.__version__
    assert f">={conda['context']['python_min']}" == PROJECT["requires-python"]
    assert conda["about"]["summary"] == PROJECT["description"]
    assert (ROOT / "recipes" / "conda" / conda["source"]["path"]).resolve() == ROOT
    assert (ROOT / conda["about"]["license_file"]).is_file()


def test_conda_s_recipe_is_understood_by_what_builds_it() -> None:
    rattler_build = pytest.importorskip("rattler_build")
    recipe = rattler_build.Stage0Recipe.from_file(str(ROOT / "recipes" / "conda" / "recipe.yaml"))
    (variant,) = recipe.render(rattler_build.VariantConfig())
    rendered = variant.recipe.to_dict()
    assert rendered["package"] == {"name": PROJECT["name"], "version": codewm_lsp.__version__}
    assert rendered["build"]["noarch"] == "python"
    assert f"python {PROJECT['requires-python']}" in rendered["requirements"]["run"]


def test_conda_s_recipe_needs_what_the_package_needs(conda: dict[str, Any]) -> None:
    needed = dict(requirement.split(" ", 1) for requirement in conda["requirements"]["run"])
    assert {"python", "git"} <= needed.keys()
    wanted = {}
    for requirement in PROJECT["dependencies"]:
        name, floor = re.fullmatch(r"([\w-]+)(>=[\d.]+)", requirement).groups()  # type: ignore[union-attr]
        wanted[CALLED.get(name, name.lower())] = floor
    assert {name: floor for name, floor in needed.items() if name not in ("python", "git")} == wanted


def test_conda_s_recipe_has_every_program(conda: dict[str, Any]) -> None:
    assert dict(entry.split(" = ") for entry in conda["build"]["python"]["entry_points"]) == PROGRAMS


def test_mason_s_package_is_of_this_version_and_starts_the_server() -> None:
    file = ROOT / "recipes" / "mason" / "packages" / "codewm" / "package.yaml"
    package = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert package.keys() == {
        *("name", "description", "homepage", "licenses", "languages", "categories", "source", "bin", "neovim")
    }
    assert package["name"] == file.parent.name == PROJECT["name"]
    assert package["description"].strip() == PROJECT["description"]
    assert package["licenses"] == [PROJECT["license"]]
    assert package["categories"] == ["LSP"]
    assert package["source"] == {"id": f"pkg:pypi/{PROJECT['name']}@{codewm_lsp.__version__}"}
    assert package["bin"] == {name: f"pypi:{name}" for name in ("codewm", "codewm-lsp")}
    assert package["bin"].keys() <= PROGRAMS.keys()
    assert (ROOT / "neovim" / "lsp" / f"{package['neovim']['lspconfig']}.lua").is_file()
