"""An index file that somebody else made: it is used as data, or set aside and made again; it runs nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.history import Repository
from codewm_lsp.index import Index, PastEdit, update
from tests.index.indexing_process import WordEncoder, open_index
from tests.security.conftest import ATTACK, service

SERVICES = ("users", "orders", "invoices", "reports")


@pytest.fixture
def history(make_repository: Callable[..., Any]) -> Any:
    """Three services that were given a time-out, one after the other."""
    repository = make_repository("services")
    repository.commit("Begin", {f"{name}.py": service(name) for name in SERVICES})
    for name in SERVICES[:-1]:
        repository.commit(f"Add timeout to {name}", {f"{name}.py": service(name, timeout=True)})
    return repository


PLAUSIBLE = (
    "words that drive a terminal",
    "paths that lead outside",
    "parts that lead elsewhere",
)  # what is shown is cleaned where it is shown
EVIL = {
    "words that drive a terminal": """
        UPDATE commits SET subject = :attack, author = :attack;
        UPDATE places SET path = path || char(27) || '[2J', definition = definition || char(10) || char(155);
    """,
    "paths that lead outside": "UPDATE places SET path = '../../../../etc/' || path;",
    "dates and lines beyond all bounds": """
        UPDATE commits SET date = 9223372036854775807; UPDATE edits SET line = -9223372036854775808;
    """,
    "dates before all bounds": "UPDATE commits SET date = -9223372036854775808;",
    "words that are no numbers": "UPDATE payloads SET lengths = replace(hex(lengths), '0', 'F');",
    "words that nobody knows": "UPDATE payloads SET terms = replace(hex(terms), '0', 'F');",
    "blobs of other sizes": "UPDATE payloads SET terms = zeroblob(50000000), counts = x'ff';",
    "a generation that leads elsewhere": "UPDATE meta SET value = '../../../../etc/' WHERE key = 'generation';",
    "parts that lead elsewhere": "INSERT INTO parts VALUES ('../../../../etc/passwd', 0, 4, 0, 4, 0, 4);",
    "numbers that refer to nothing": "UPDATE edits SET place = 4611686018427387904, commit_id = -1;",
    "other types": "UPDATE commits SET subject = x'ff00ff', date = 'tomorrow', edits = 'many';",
    "kinds that are none": "UPDATE edits SET kind = 'exec', definition_kind = '__import__(\"os\")';",
    "triggers": """
        CREATE TRIGGER t AFTER INSERT ON commits BEGIN DELETE FROM payloads; DELETE FROM edits; END;
    """,
    "a view that never ends": """
        ALTER TABLE renames RENAME TO renames_; CREATE VIEW renames AS WITH RECURSIVE n(old) AS
        (SELECT '1' UNION ALL SELECT old + 1 FROM n) SELECT 1 AS commit_id, old, old AS new FROM n;
    """,
    "a view with a function": """
        ALTER TABLE commits RENAME TO commits_; CREATE VIEW commits AS SELECT id, load_extension('evil') AS sha, parent,
        author, date, subject, skipped, edits FROM commits_;
    """,
}


@pytest.mark.parametrize("kind", EVIL)
def test_an_index_made_by_somebody_else_does_no_harm(kind: str, history: Any, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with Repository.open(history.path) as repository:
        with open_index(repository, cache) as index:
            update(repository, WordEncoder(), index.log)
            good = facts(repository, index)
            assert len(good) > len(SERVICES)
            path = index.path
            assert path is not None
        attack(path, EVIL[kind])
        with open_index(repository, cache) as index:
            found = facts(repository, index)
        if list(path.parent.glob("*.broken-1")):
            assert found == []
            with open_index(repository, cache) as index:
                update(repository, WordEncoder(), index.log)
                assert facts(repository, index) == good
        else:  # it makes sense, whatever it says
            assert kind in PLAUSIBLE
            assert len(found) == len(good)


def attack(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in filter(str.strip, split(script)):
            connection.execute(statement, {"attack": ATTACK} if ":attack" in statement else {})
        connection.commit()


def facts(repository: Repository, index: Index) -> list[PastEdit]:
    """Everything in an index; every question is asked on the way."""
    edit = repository.edits_of(repository.head()).edits[0]
    vector = WordEncoder().embed_edits([(edit.before, edit.after)])
    index.search(edit, vector[0], k=0, exclude_definition=(edit.path, edit.definition))
    index.nearest(vector, k=3)
    index.history()
    index.log.entries()
    return sorted((hit.edit for hit in index.search(edit, vector[0], k=0)), key=lambda past: past.id)


def split(script: str) -> list[str]:
    """Statements of a script; a trigger is one."""
    found, rest = [], ""
    for part in script.split(";"):
        rest += part
        if sqlite3.complete_statement(rest + ";"):
            found.append(rest.strip())
            rest = ""
        else:
            rest += ";"
    return found
