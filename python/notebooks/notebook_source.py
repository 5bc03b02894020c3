"""A notebook's cells: from Databricks' source format, or from Jupyter's."""

import json
import re
from dataclasses import dataclass

# What a line of a cell in another language begins with, by the notebook's language.
MAGIC = {"PYTHON": "# MAGIC ", "SQL": "-- MAGIC "}
SEPARATOR = {"PYTHON": "# COMMAND ----------", "SQL": "-- COMMAND ----------"}
HEADER = re.compile(r"^(#|--) Databricks notebook source\s*$")
# Cells that only tell something, and cells that install what has to be there already here.
SILENT = {"md", "md-sandbox"}
INSTALLS = {"pip", "conda"}


@dataclass(frozen=True)
class Cell:
    """`language` is python, sql, run, pip, or whatever magic it begins with."""

    language: str
    source: str


def read_cells(content: str, *, language: str, is_jupyter: bool) -> list[Cell]:
    """All cells that do something, in order."""
    texts = _jupyter_cells(content) if is_jupyter else _source_cells(content, language)
    cells = [_cell(text, language.lower()) for text in texts]
    return [cell for cell in cells if cell.language not in SILENT and cell.source.strip()]


def _jupyter_cells(content: str) -> list[str]:
    cells = json.loads(content)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _source_cells(content: str, language: str) -> list[str]:
    lines = content.splitlines()
    if lines and HEADER.match(lines[0]):
        lines = lines[1:]
    cells: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == SEPARATOR[language]:
            cells.append([])
        else:
            cells[-1].append(line)
    return [_without_magic(cell, MAGIC[language]) for cell in cells]


def _without_magic(lines: list[str], prefix: str) -> str:
    """A cell of another language is commented out, line by line."""
    said = [line for line in lines if line.strip()]
    if said and all(line.startswith(prefix.rstrip()) for line in said):
        lines = [line.removeprefix(prefix).removeprefix(prefix.rstrip()) for line in said]
    return "\n".join(lines)


def _cell(text: str, language: str) -> Cell:
    named = re.match(r"\s*%([\w-]+)[ \t]*(.*)", text, re.DOTALL)
    if not named:
        return Cell(language, text)
    magic, rest = named.groups()
    if magic in INSTALLS:
        return Cell("pip", text)
    return Cell(magic, rest)
