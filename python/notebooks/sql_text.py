"""What a notebook's SQL says, as far as it has to be known: names, and kinds of statements."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

IDENTIFIER = r"(?:`(?:[^`]|``)+`|[A-Za-z_]\w*)"
TOKEN = re.compile(
    rf"""(?P<skipped>r?'(?:[^'\\]|\\.)*'|r?"(?:[^"\\]|\\.)*"|--[^\n]*|/\*.*?\*/)
    |(?P<name>{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})*)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
# Their first table is written to.
WRITES = {"INSERT", "UPDATE", "DELETE", "MERGE", "OPTIMIZE", "VACUUM", "REORG"}


@dataclass(frozen=True)
class Token:
    kind: str
    text: str


def tokens(sql: str) -> Iterator[Token]:
    for found in TOKEN.finditer(sql):
        yield Token(found.lastgroup or "other", found.group())


def words(sql: str) -> list[str]:
    """Its first words, in capitals."""
    names = (token.text.upper() for token in tokens(sql) if token.kind == "name")
    return [word for word, _ in zip(names, range(6), strict=False)]


def parts_of(name: str) -> list[str]:
    parts = re.findall(IDENTIFIER, name)
    return [p[1:-1].replace("``", "`") if p.startswith("`") else p for p in parts]


def with_names(sql: str, replace: Callable[[list[str], bool], str | None]) -> str:
    """`replace` gets the parts of each name with two or more, and whether it is written to."""
    writes = (words(sql) or [""])[0] in WRITES
    out = []
    for token in tokens(sql):
        text = token.text
        if token.kind == "name" and "." in text:
            other = replace(parts_of(text), writes)
            if other is not None:
                text, writes = other, False
        out.append(text)
    return "".join(out)


def statements(sql: str) -> list[str]:
    """Those of a cell, which a semicolon ends."""
    found = [""]
    for token in tokens(sql):
        if token.text == ";":
            found.append("")
        else:
            found[-1] += token.text
    return [one for one in found if words(one)]


def split_query(sql: str) -> tuple[str, str] | None:
    """`CREATE TABLE … AS SELECT …`: what stands before AS, and the query."""
    head, depth = "", 0
    for token in tokens(sql):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.kind == "name" and token.text.upper() == "AS" and depth == 0:
            return head, sql[len(head) + len(token.text) :]
        head += token.text
    return None


BEFORE_SUBJECT = {"CREATE", "DROP", "ALTER", "OR", "REPLACE", "TABLE", "VIEW", "IF", "NOT"} | {
    "EXISTS",
    "EXTERNAL",
    "MATERIALIZED",
}


def subject_of(statement: str) -> str:
    """The name in `CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name …`, and in those like it."""
    names = [token.text for token in tokens(statement) if token.kind == "name"]
    return next(name for name in names if name.upper() not in BEFORE_SUBJECT)
