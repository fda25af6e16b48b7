"""Settings become options; what makes no sense is named, and the default is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.server.options import (
    DEFAULT_EXCLUDE,
    Display,
    Kinds,
    LogLevel,
    Options,
    merge_settings,
    own_settings,
    read_options,
)


def test_nothing_set_means_the_defaults() -> None:
    assert read_options(None) == (Options(), [])
    assert read_options({}) == (Options(), [])


def test_everything_can_be_set(tmp_path: Path) -> None:
    options, problems = read_options(
        {
            "enable": False,
            "model": str(tmp_path),
            "display": "hover",
            "kinds": {"similar": False, "next": True},
            "threshold": 0.75,
            "lensesPerFile": 3,
            "exclude": ["generated/**"],
            "historyDepth": 500,
            "pauseWhenBusy": False,
            "debounceMs": 250,
            "threads": 2,
            "logLevel": "debug",
        }
    )
    assert problems == []
    assert options == Options(
        enable=False,
        model=tmp_path,
        display=Display.HOVER,
        kinds=Kinds(similar=False, next=True),
        threshold=0.75,
        lenses_per_file=3,
        exclude=(*DEFAULT_EXCLUDE, "generated/**"),
        history_depth=500,
        pause_when_busy=False,
        debounce_ms=250,
        threads=2,
        log_level=LogLevel.DEBUG,
    )


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"enable": "yes"}, "codewm.enable"),
        ({"model": 7}, "codewm.model"),
        ({"model": "~no_such_user/model"}, "codewm.model"),
        ({"store": "~no_such_user/store"}, "codewm.store"),
        ({"display": "everywhere"}, "codewm.display"),
        ({"kinds": ["similar"]}, "codewm.kinds"),
        ({"kinds": {"similar": 1}}, "codewm.kinds.similar"),
        ({"threshold": 1.5}, "codewm.threshold"),
        ({"threshold": float("nan")}, "codewm.threshold"),
        ({"threshold": True}, "codewm.threshold"),
        ({"lensesPerFile": -1}, "codewm.lensesPerFile"),
        ({"lensesPerFile": 2.5}, "codewm.lensesPerFile"),
        ({"lensesPerFile": float("inf")}, "codewm.lensesPerFile"),
        ({"exclude": "build"}, "codewm.exclude"),
        ({"exclude": [1]}, "codewm.exclude"),
        ({"historyDepth": None, "debounceMs": "soon"}, "codewm.debounceMs"),
        ({"threads": 0}, "codewm.threads"),
        ({"logLevel": "loud"}, "codewm.logLevel"),
        ({"logLevel": {"a": "b"}}, "codewm.logLevel"),
    ],
)
def test_a_senseless_setting_is_named_and_left_at_its_default(settings: dict[str, Any], name: str) -> None:
    options, problems = read_options(settings)
    assert options == Options()
    assert len(problems) == 1
    assert f"Setting {name} must be " in problems[0]
    assert "default" in problems[0]


def test_a_default_is_shown_as_it_is_written() -> None:
    _, (problem,) = read_options({"exclude": {}})
    assert problem.startswith(
        "Setting codewm.exclude must be a list of globs, not {}. The default (**/node_modules/**, "
    )
    assert "'" not in problem


def test_an_unknown_setting_is_named() -> None:
    options, problems = read_options({"treshold": 0.5, "kinds": {"similiar": True}})
    assert options == Options()
    assert len(problems) == 2
    assert "codewm.treshold" in problems[0]
    assert "threshold" in problems[0]
    assert "codewm.kinds.similiar" in problems[1]


def test_one_bad_setting_spoils_no_other() -> None:
    options, problems = read_options({"threshold": "high", "debounceMs": 40})
    assert options == Options(debounce_ms=40)
    assert len(problems) == 1


def test_what_only_an_extension_reads_is_no_mistake() -> None:
    assert read_options({"path": ["codewm-lsp"], "trace": {"server": "off"}, "interpreter": []}) == (Options(), [])


def test_settings_that_are_no_object_are_refused() -> None:
    options, problems = read_options(["enable"])
    assert options == Options()
    assert len(problems) == 1


def test_later_settings_lie_over_earlier_ones() -> None:
    merged = merge_settings(
        {"threshold": 0.1, "kinds": {"next": False}}, {"kinds": {"similar": False}, "debounceMs": 1}
    )
    assert merged == {"threshold": 0.1, "kinds": {"next": False, "similar": False}, "debounceMs": 1}
    assert merge_settings({"threshold": 0.1}, None) == {"threshold": 0.1}
    assert merge_settings(None, {"threshold": 0.1}) == {"threshold": 0.1}


def test_an_old_name_is_read_where_the_new_one_is_not_used() -> None:
    assert read_options({"eagerness": 40}) == (Options(debounce_ms=40), [])
    assert read_options({"eagerness": 40, "debounceMs": 50}) == (Options(debounce_ms=50), [])
    assert read_options({"debounceMs": 50, "eagerness": "soon"}) == (Options(debounce_ms=50), [])
    options, (problem,) = read_options({"eagerness": "soon"})
    assert options == Options()
    assert "codewm.eagerness" in problem


@pytest.mark.parametrize(
    "settings",
    [
        {"codewm": {"threshold": 0.3, "kinds": {"next": False}}},
        {"threshold": 0.3, "kinds": {"next": False}},
        {"codewm": {"codewm": {"threshold": 0.3, "kinds": {"next": False}}}},
        {"settings": {"codewm": {"threshold": 0.3, "kinds": {"next": False}}}},
        [{"codewm": {"threshold": 0.3, "kinds": {"next": False}}}],
        {"codewm.threshold": 0.3, "codewm.kinds.next": False},
        {"codewm": {"threshold": 0.3, "kinds.next": False}},
        {"codewm": {"threshold": 0.3}, "codewm.kinds": {"next": False}},
        {"codewm": {"threshold": 0.3, "kinds": {"next": False}}, "pylsp": {"plugins": {}}, "threads": 7},
        {"threshold": 0.3, "kinds": {"next": False}, "pylsp": {"plugins": {}}},
    ],
)
def test_settings_are_found_however_they_are_nested(settings: object) -> None:
    found = own_settings(settings)
    assert read_options(found) == (Options(threshold=0.3, kinds=Kinds(next=False)), [])


@pytest.mark.parametrize(
    "settings",
    [
        *(None, [], {}, "", 0, False, [None], [[]], {"codewm": None}, {"codewm": []}, {"settings": None}),
        {"pylsp": {"plugins": {}}, "gopls": {"staticcheck": True}},
        {"python.linting.enabled": True, "editor": {"tabSize": 4}},
        {"staticcheck": True, "gofumpt": "yes"},
        {"path": "/usr/bin/other", "trace": {"server": "off"}},
        {"model": {"name": "another server's"}},
    ],
)
def test_what_is_no_settings_of_ours_says_nothing(settings: object) -> None:
    assert own_settings(settings) is None


def test_an_empty_section_is_one() -> None:
    assert own_settings({"codewm": {}}) == {}


@pytest.mark.parametrize("settings", ["text", 7, ["enable"], {"codewm": "text"}, {"codewm": ["enable"]}])
def test_what_is_meant_for_us_and_no_object_is_named(settings: object) -> None:
    options, problems = read_options(own_settings(settings))
    assert options == Options()
    assert len(problems) == 1


def test_a_misspelt_setting_is_named_wherever_it_stands() -> None:
    for settings in ({"treshold": 0.3}, {"codewm": {"kindz": {}}}, {"enable": True, "colour": 1}):
        assert len(read_options(own_settings(settings))[1]) == 1
    assert len(read_options(own_settings({"colour": 1, "pylsp": {}}, alone=True))[1]) == 1
    assert own_settings({"pylsp": {}}, alone=True) is None
