"""What opens a location is an entry point named by its scheme, from this package or another."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import codewm_lsp.stores
from codewm_lsp.errors import OptionError, StoreFailedError
from codewm_lsp.stores import GROUP, open_store
from codewm_lsp.stores.sqlite import SqliteStore

NOT_A_FUNCTION = 3


class Opened:
    def __init__(self, location: str, **options: object) -> None:
        self.location, self.options = location, options


def installed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setattr(codewm_lsp.stores, "entry_points", lambda group: [EntryPoint(name, value, group)])


def opened(location: str) -> object:
    return open_store(location, model_hash="abc", edit_size=4, create=True, patience=2.0)


def test_another_package_opens_its_own_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "lance", f"{__name__}:Opened")
    store = opened("lance://somewhere/edits")
    assert isinstance(store, Opened)
    assert store.location == "lance://somewhere/edits"
    assert store.options == {"model_hash": "abc", "edit_size": 4, "create": True, "patience": 2.0}


@pytest.mark.parametrize("location", ["http://[::1", "postgresql://u:secret@[x/db", "https://a\u2100b/c"])
def test_what_cannot_be_an_address_is_refused_without_being_repeated(location: str) -> None:
    with pytest.raises(OptionError, match="that is not an address") as caught:
        opened(location)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("codewm_no_such_package:open", "cannot be loaded: No module named"),
        (f"{__name__}:nothing", "cannot be loaded: .*nothing"),
        (f"{__name__}:NOT_A_FUNCTION", "offers no function"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "lance", value)
    with pytest.raises(OptionError, match=message) as caught:
        opened("lance:x")
    assert value in str(caught.value)


def test_an_address_that_nothing_opens_says_what_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "lance", f"{__name__}:Opened")
    with pytest.raises(OptionError, match=r"neither a folder nor an address.*\(known: lance\)"):
        opened("ftp://host/x")


def test_two_packages_for_one_scheme_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint("lance", f"{package}:open_store", GROUP) for package in ("theirs", "ours", "ours")]
    monkeypatch.setattr(codewm_lsp.stores, "entry_points", lambda group: entries)
    with pytest.raises(
        OptionError, match=r"several packages open lance: stores \(ours:open_store, theirs:open_store\)"
    ):
        opened("lance:x")


def fails(location: str, **options: object) -> object:
    raise ConnectionError(f"no route to {location}")


def test_what_another_package_raises_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "lance", f"{__name__}:fails")
    with pytest.raises(StoreFailedError, match=r"The store lance:… failed \(ConnectionError: no route"):
        opened("lance:x")


def test_a_folder_with_a_colon_in_its_name_is_a_folder(tmp_path: Path) -> None:
    store = opened(str(tmp_path / "team") if tmp_path.drive else str(tmp_path / "team: edits"))
    assert isinstance(store, SqliteStore)
    store.close()


def test_the_schemes_that_ship_are_declared() -> None:
    from importlib.metadata import entry_points

    assert {entry.name for entry in entry_points(group=GROUP)} >= {"http", "https", "qdrant"}
