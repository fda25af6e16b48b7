"""Real Python files, broken in every way that typing, merging and transport break them: an answer each time.

The files are those of Python's own library, so that there is something real to break wherever the tests run.
"""

from __future__ import annotations

import random
import sysconfig
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from codewm_lsp.source import (
    MODULE_NAME,
    Definition,
    Tokens,
    decode,
    fingerprint,
    parse_definitions,
    tokenize,
    word_counts,
)

FILES, UNTOUCHED = 100, 40  # mutated files in an ordinary run
THOROUGH_FILES, THOROUGH_UNTOUCHED = 10_000, 1_000
LARGEST = 40_000  # bytes of a file that is mutated
PIECES = (
    *"()[]{}:,.=@#\\\"'\t\n;~`$?!\0\x0c\x1b\u2028\ufeff\U0001f40d\x80é",
    '"""',
    "'''",
    'f"{',
    "\r\n",
    "\n\n",
    "\ndef f(",
    "\nclass A:\n",
    "\n    @",
    "    ",
    "async ",
    "lambda: ",
    "match x:\n    case ",
    "<<<<<<< HEAD\n",
    "=======\n",
    ">>>>>>> theirs\n",
    "\ud800",
)


def library() -> list[Path]:
    """Some hundred modules of this Python's library."""
    folder = Path(sysconfig.get_path("stdlib"))
    found = [*folder.glob("*.py"), *folder.glob("json/*.py"), *folder.glob("email/*.py"), *folder.glob("asyncio/*.py")]
    return sorted(path for path in found if 200 < path.stat().st_size < LARGEST)


def mutate(text: str, chance: random.Random) -> str:
    """One to five changes of all sorts."""
    for _ in range(chance.randint(1, 5)):
        lines = text.split("\n")
        at = chance.randrange(len(text) + 1)
        line = chance.randrange(len(lines))
        kind = chance.randrange(10)
        if kind == 0:
            text = text[:at] + text[at + chance.randint(1, 30) :]
        elif kind <= 2:
            text = text[:at] + chance.choice(PIECES) * chance.choice((1, 1, 1, 2, 50)) + text[at:]
        elif kind == 3:
            text = text[:at]
        elif kind == 4:
            lines[line : line + chance.randint(1, 5)] = []
            text = "\n".join(lines)
        elif kind == 5:
            end = chance.randint(line, min(len(lines), line + 20))
            other = chance.randrange(len(lines))
            text = "\n".join([*lines[:other], *lines[line:end], *lines[other:]])
        elif kind == 6:
            lines[line] = chance.choice(("    ", "\t", " ")) + lines[line]
            text = "\n".join(lines)
        elif kind == 7:
            lines[line] = lines[line].lstrip()
            text = "\n".join(lines)
        elif kind == 8:
            text = text.replace("\n", chance.choice(("\r\n", "\r", "\n\r")))
        else:
            data = bytearray(text.encode("utf-8", "surrogatepass"))
            for _ in range(chance.randint(1, 8)):
                if data:
                    data[chance.randrange(len(data))] = chance.randrange(256)
            text = decode(bytes(data))
    return text


def tokens_of(text: str) -> dict[str, Tokens]:
    """The tokens of each definition; every function of the room is called on the way."""
    definitions = parse_definitions(text)
    lines = text.count("\n") + text.count("\r") + 1
    for definition in definitions:
        assert 0 <= definition.start <= definition.line < definition.end <= lines
    found = {definition.name: tokenize(definition.source) for definition in definitions}
    assert len(found) == len(definitions)
    for tokens in found.values():
        assert len(tokens.ids) == len(tokens.depths)
        fingerprint(tokens)
        word_counts(tokens.leaves)
    return found


def test_any_mutation_is_answered(thorough: bool) -> None:
    chance = random.Random(20_261_122)
    modules = library()
    assert len(modules) > 50
    for number in range(THOROUGH_FILES if thorough else FILES):
        path = chance.choice(modules)
        text = mutate(decode(path.read_bytes()), chance)
        try:
            tokens_of(text)
        except Exception as error:
            pytest.fail(f"mutation {number} of {path.name}: {error!r}\n{text[:2000]!r}")


def inside(text: str, definition: Definition, change: Callable[[str], str]) -> str:
    """The file with the lines of a definition after its header changed."""
    lines = text.split("\n")
    body = "\n".join(lines[definition.line + 1 : definition.end])
    return "\n".join([*lines[: definition.line + 1], change(body), *lines[definition.end :]])


def is_python(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "mutated.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def edited(body: str, chance: random.Random) -> str:
    """What somebody may do in one go in a function: a line changed, added, copied or removed."""
    lines = body.split("\n")
    at = chance.randrange(len(lines))
    indentation = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    kind = chance.randrange(5)
    if kind == 0:
        lines.insert(at, f"{indentation}value_{at} = call(other, [1, 2], key='text')")
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        del lines[at]
    elif kind == 3:
        lines[at] = lines[at].replace("self", "that").replace("1", "17").replace("None", "nothing")
    else:
        lines[at : at + 1] = ["", f"{indentation}# a note", lines[at]]
    return "\n".join(lines)


def halfway(body: str, chance: random.Random) -> str:
    """What somebody is in the middle of typing: a line that is not finished, a bracket not closed or not opened."""
    lines = body.split("\n")
    plain = [number for number, line in enumerate(lines) if line.startswith("    ") and not set(line) & set("\"'\\#")]
    if not plain:
        return body
    at = chance.choice(plain)
    if chance.randrange(2):
        lines[at] = lines[at][: chance.randint(4, len(lines[at]))]
    else:
        place = chance.randint(4, len(lines[at]))
        lines[at] = lines[at][:place] + chance.choice("()[]{}:,.=@") + lines[at][place:]
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["edited", "halfway"])
def test_untouched_definitions_keep_their_tokens(kind: str, thorough: bool) -> None:
    chance = random.Random(1122)
    modules = library()
    wanted = THOROUGH_UNTOUCHED if thorough else UNTOUCHED
    looked = 0
    for number in range(20 * wanted):
        if looked == wanted:
            break
        path = chance.choice(modules)
        text = decode(path.read_bytes())
        definitions = parse_definitions(text)
        outer = [one for one in definitions if "." not in one.name and one.name != MODULE_NAME and "#" not in one.name]
        if not outer or not is_python(text):
            continue
        own = chance.choice(outer)
        nested = {one.name for one in definitions if one.name == own.name or one.name.startswith(f"{own.name}.")}
        change = edited if kind == "edited" else halfway
        last = max(one.end for one in definitions if one.name in nested)
        whole = Definition(own.name, own.kind, own.line, own.start, last, own.source)
        mutated = inside(text, whole, lambda body: change(body, chance))  # noqa: B023 – called at once
        if kind == "edited" and not is_python(mutated):
            continue
        looked += 1
        before, after = tokens_of(text), tokens_of(mutated)
        for name, tokens in before.items():
            if name not in nested and name != MODULE_NAME:
                assert after.get(name) == tokens, f"{kind} {number}: {name} of {path.name}, changed: {own.name}"
    assert looked == wanted
