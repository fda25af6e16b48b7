"""The statements of the store in PostgreSQL. ``{schema}`` is that of the store, ``{types}`` that of pgvector."""

from __future__ import annotations

from typing import Final

TABLES: Final = (
    "CREATE TABLE {schema}.codewm_store (model text, tokeniser text, size integer, layout integer)",
    """CREATE TABLE {schema}.repositories (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key text UNIQUE NOT NULL,
        name text NOT NULL,
        settled text,
        settled_count bigint,
        edits bigint NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE {schema}.commits (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        repository integer NOT NULL REFERENCES {schema}.repositories,
        sha text NOT NULL,
        author text NOT NULL,
        date bigint NOT NULL,
        subject text NOT NULL,
        parent text,
        UNIQUE (repository, sha)
    )""",
    """CREATE TABLE {schema}.edits (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        commit bigint NOT NULL REFERENCES {schema}.commits,
        path text NOT NULL,
        definition text NOT NULL,
        definition_kind text NOT NULL,
        kind text NOT NULL,
        line integer NOT NULL,
        vector {types}.halfvec(SIZE) NOT NULL,
        words bigint[] NOT NULL,
        counts bytea NOT NULL,
        places bigint[] NOT NULL
    )""",
    "CREATE INDEX edits_words ON {schema}.edits USING gin (words)",
    "CREATE INDEX edits_places ON {schema}.edits USING gin (places)",
    """CREATE TABLE {schema}.term_counts (
        place boolean,
        term bigint,
        edits bigint NOT NULL,
        PRIMARY KEY (place, term)
    )""",
)
"""``SIZE``: numbers in a vector. ``term_counts``: in how many edits a changed word, or a word of a place, stands."""

NEW_REPOSITORY: Final = """
    INSERT INTO {schema}.repositories (key, name) VALUES (%s, %s)
    ON CONFLICT (key) DO UPDATE SET name = excluded.name RETURNING id"""

NEW_COMMIT: Final = """
    INSERT INTO {schema}.commits (repository, sha, author, date, subject, parent) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING id"""

NEW_EDITS: Final = """
    COPY {schema}.edits (commit, path, definition, definition_kind, kind, line, vector, words, counts, places)
    FROM STDIN"""

COUNT: Final = """
    INSERT INTO {schema}.term_counts (place, term, edits)
    SELECT %s, term, edits FROM unnest(%s::bigint[], %s::bigint[]) AS added(term, edits) ORDER BY term
    ON CONFLICT (place, term) DO UPDATE SET edits = {schema}.term_counts.edits + excluded.edits"""

FOUND: Final = """
    SELECT e.id, -(e.vector::{types}.vector OPERATOR({types}.<#>) %(vector)s::{types}.vector),
        e.path, e.definition, e.definition_kind, e.kind, e.line,
        c.sha, c.author, c.date, c.subject, c.parent, r.key, r.name, e.words, e.counts, e.places
    FROM {schema}.edits e
    JOIN {schema}.commits c ON c.id = e.commit
    JOIN {schema}.repositories r ON r.id = c.repository"""

_BY_MEANING: Final = """(
    SELECT id FROM {schema}.edits
    ORDER BY vector OPERATOR({types}.<#>) %(vector)s::{types}.halfvec LIMIT %(limit)s
)"""

_SHARED: Final = """(
    SELECT e.id FROM {schema}.edits e
    CROSS JOIN LATERAL (
        SELECT sum(strength) AS shared FROM unnest(e.COLUMN) AS own(term)
        JOIN unnest(%(COLUMN)s::bigint[], %(COLUMN_strengths)s::real[]) AS asked(term, strength) USING (term)
    ) AS sharing
    WHERE e.COLUMN && %(COLUMN_rare)s::bigint[]
    ORDER BY sharing.shared / sqrt(cardinality(e.COLUMN)) DESC, e.id DESC LIMIT %(limit)s
)"""

NEAR: Final = " UNION ".join((_BY_MEANING, _SHARED.replace("COLUMN", "words"), _SHARED.replace("COLUMN", "places")))
"""Of the columns ``words`` and ``places`` each: the asked terms, their strengths, and those rare enough to look up."""

FOUND_NEAR: Final = f"{FOUND} WHERE e.id IN ({NEAR})"
