"""What the local workspace reads of a notebook before it runs it."""

import json

import pytest
from notebook_source import Cell, read_cells
from sql_text import split_query, statements, subject_of, with_names

SOURCE = """# Databricks notebook source
# MAGIC %md
# MAGIC # A title
# COMMAND ----------
a = 1  # COMMAND ----------
# MAGIC stays a comment
# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT 1;
# MAGIC
# MAGIC SELECT 2
# COMMAND ----------
# MAGIC %run ./other
# COMMAND ----------
# MAGIC %pip install dspy
"""


def test_a_notebook_in_source_format() -> None:
    cells = read_cells(SOURCE, language="PYTHON", is_jupyter=False)
    assert [(cell.language, cell.source.strip()) for cell in cells] == [
        ("python", "a = 1  # COMMAND ----------\n# MAGIC stays a comment"),
        ("sql", "SELECT 1;\n\nSELECT 2"),
        ("run", "./other"),
        ("pip", "%pip install dspy"),
    ]


def test_a_notebook_of_sql() -> None:
    text = (
        "-- Databricks notebook source\nSELECT 1\n"
        "-- COMMAND ----------\n-- MAGIC %python\n-- MAGIC print(1)"
    )
    assert read_cells(text, language="SQL", is_jupyter=False) == [
        Cell("sql", "SELECT 1"),
        Cell("python", "\nprint(1)"),
    ]


def test_a_notebook_of_jupyter() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# T"]},
        {"cell_type": "code", "source": ["a = 1\n", "b = 2"]},
        {"cell_type": "code", "source": ["%sql SELECT 1"]},
    ]
    content = json.dumps({"cells": cells})
    assert read_cells(content, language="PYTHON", is_jupyter=True) == [
        Cell("python", "a = 1\nb = 2"),
        Cell("sql", "SELECT 1"),
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM ml.a.t", "SELECT * FROM <ml.a.t r>"),
        ("SELECT t.x FROM `ml`.`a`.`t` AS t", "SELECT <t.x r> FROM <ml.a.t r> AS t"),
        ("SELECT 'ml.a.t' -- ml.a.t", "SELECT 'ml.a.t' -- ml.a.t"),
        ("SELECT 'it''s ml.a.t' /* a.b */", "SELECT 'it''s ml.a.t' /* a.b */"),
        (
            "INSERT INTO ml.a.t SELECT * FROM ml.a.s",
            "INSERT INTO <ml.a.t w> SELECT * FROM <ml.a.s r>",
        ),
        ("SELECT 1.5, x.`odd``name`", "SELECT 1.5, <x.odd`name r>"),
    ],
)
def test_names_are_found(sql: str, expected: str) -> None:
    shown = with_names(sql, lambda parts, writes: f"<{'.'.join(parts)} {'w' if writes else 'r'}>")
    assert shown == expected


def test_statements_of_a_cell() -> None:
    assert [one.strip() for one in statements("SELECT ';'; -- no; more\nSELECT 2;\n")] == [
        "SELECT ';'",
        "-- no; more\nSELECT 2",
    ]


@pytest.mark.parametrize(
    ("statement", "subject", "query"),
    [
        ("CREATE TABLE IF NOT EXISTS ml.a.t (n INT)", "ml.a.t", None),
        ("CREATE OR REPLACE TABLE `t` AS SELECT 1 AS n", "`t`", " SELECT 1 AS n"),
        ("CREATE TABLE t (d DECIMAL(10, 2)) CLUSTER BY (d)", "t", None),
        ("DROP VIEW IF EXISTS a.v", "a.v", None),
        ("ALTER TABLE a.t ADD COLUMNS (b INT)", "a.t", None),
    ],
)
def test_what_a_statement_is_about(statement: str, subject: str, query: str | None) -> None:
    assert subject_of(statement) == subject
    split = split_query(statement)
    assert (split and split[1]) == query
