"""Before a release the registries are asked whether the names are free, ours or somebody else's."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import urllib.error
from email.message import Message
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pip._internal.models.index import PyPI

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """scripts/names.py."""
    spec = importlib.util.spec_from_file_location("names", ROOT / "scripts" / "names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["names"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


OURS = json.loads((ROOT / "vscode-extension" / "package.json").read_text(encoding="utf-8"))["description"]


def registries(pypi: str | None, marketplace: str | None, open_vsx: str | None) -> Any:
    """The three registries, with these descriptions of our names; None: nobody has the name."""
    asked: list[str] = []

    def ask(url: str, question: dict[str, Any] | None) -> Any:
        asked.append(url)
        if url == f"{PyPI.pypi_url}/codewm/json":
            return pypi and {"info": {"summary": pypi}}
        if url == "https://open-vsx.org/api/codewm/codewm":
            return open_vsx and {"description": open_vsx}
        assert question is not None
        assert question["filters"][0]["criteria"] == [{"filterType": 7, "value": "codewm.codewm"}]
        return {"results": [{"extensions": [{"shortDescription": marketplace}] if marketplace else []}]}

    return ask, asked


def test_free_names_are_no_hindrance(script: ModuleType) -> None:
    ask, asked = registries(None, None, None)
    found = script.names(ROOT, ask)
    assert [one.state for one in found] == [script.State.FREE] * 3
    assert len(asked) == 3
    for published in (False, True):
        assert script.problems(found, published=published) == []


@pytest.mark.parametrize("whose", [0, 1, 2], ids=["PyPI", "Marketplace", "Open VSX"])
def test_a_name_of_somebody_else_stops_the_release(script: ModuleType, whose: int) -> None:
    described: list[str | None] = [None, None, None]
    described[whose] = "A code watermark"
    found = script.names(ROOT, registries(*described)[0])
    for published in (False, True):
        (problem,) = script.problems(found, published=published)
        assert "is somebody else's" in problem


def test_a_name_that_is_ours_must_be_said_to_be_published(script: ModuleType) -> None:
    found = script.names(ROOT, registries(OURS, OURS, OURS)[0])
    assert [one.state for one in found] == [script.State.OURS] * 3
    assert script.problems(found, published=True) == []
    assert len(script.problems(found, published=False)) == 3


def test_a_description_that_was_ours_before_is_ours(script: ModuleType, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "vscode-extension/package.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for text in ("The old one", "The new one"):
        (tmp_path / "pyproject.toml").write_text(f'name = "codewm"\ndescription = "{text}"\n', encoding="utf-8")
        for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", text)):
            subprocess.run(["git", *command], cwd=tmp_path, check=True)
    found = script.names(tmp_path, registries("The old one", None, None)[0])
    assert found[0].state is script.State.OURS


def test_a_registry_that_has_nothing_says_so_and_any_other_failure_is_one(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = 404

    def opened(request: Any, timeout: float) -> Any:
        raise urllib.error.HTTPError(request.full_url, code, "said no", Message(), None)

    monkeypatch.setattr("urllib.request.urlopen", opened)
    assert script.ask(f"{PyPI.pypi_url}/codewm/json", None) is None
    code = 503
    assert script.main() == 1
    assert "a registry does not answer" in capsys.readouterr().err
