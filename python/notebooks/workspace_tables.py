"""The workspace's tables in Spark, under their names.

Open-source Spark has no `catalog.schema.table` without a server for catalogs. So a name that the
workspace knows is made known to Spark as an external Delta table in a database of its own, and
stands for it in each statement. Statements that make, change or drop what has a name there, and
COPY INTO, which open-source Spark does not have, are run by the workspace's own SQL.
"""

import re
from contextlib import suppress
from functools import partial
from typing import Any

import workspace
from pyspark.sql import DataFrame, DataFrameReader, DataFrameWriter, SparkSession
from pyspark.sql.catalog import Catalog
from sql_text import parts_of, split_query, statements, subject_of, with_names, words

DEFAULT = ("main", "default")
OF_WORKSPACE = {"CREATE", "DROP", "ALTER", "COMMENT", "COPY", "GRANT", "REVOKE", "SHOW"} | {
    "DESCRIBE",
    "DESC",
    "TRUNCATE",
}


class WorkspaceTables:
    """Given a session, makes its `sql`, `table` and writers know the workspace's names."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.catalog, self.schema = DEFAULT
        self.known: dict[str, str] = {}
        self.schemas: set[str] | None = None
        self.plain_sql = partial(SparkSession.sql, spark)
        self.use(*DEFAULT)

    # ─── Names ──────────────────────────────────────────────────────────────

    def spark_name(self, parts: list[str], writes: bool = False) -> str | None:
        """As Spark knows it; None for what is no table of the workspace, such as a column."""
        if len(parts) >= 3 and f"{parts[0]}.{parts[1]}".lower() in self._all_schemas():
            full, rest = parts[:3], parts[3:]
        elif len(parts) >= 2 and f"{self.catalog}.{parts[0]}".lower() in self._all_schemas():
            full, rest = [self.catalog, *parts[:2]], parts[2:]
        else:
            return None
        name = self._register(".".join(full).lower(), writes)
        if name is None and len(parts) >= 3:
            raise workspace.WorkspaceError(
                "TABLE_OR_VIEW_NOT_FOUND", f"The table or view {'.'.join(full)} cannot be found"
            )
        return name and ".".join([name, *(f"`{part}`" for part in rest)])

    def _all_schemas(self) -> set[str]:
        if self.schemas is None:
            base = "/api/2.1/unity-catalog"
            self.schemas = {
                schema["full_name"].lower()
                for catalog in workspace.call("GET", f"{base}/catalogs").get("catalogs", [])
                for schema in workspace.call(
                    "GET", f"{base}/schemas", catalog_name=catalog["name"]
                ).get("schemas", [])
            }
        return self.schemas

    def _register(self, full_name: str, writes: bool) -> str | None:
        key = f"{full_name} {writes}"
        if key not in self.known:
            name = self._make_known(full_name, writes)
            if name is None:
                return None
            self.known[key] = name
        return self.known[key]

    def _make_known(self, full_name: str, writes: bool) -> str | None:
        try:
            table = workspace.call(
                "GET", f"/api/2.1/unity-catalog/tables{workspace.path_of(full_name)}"
            )
        except workspace.WorkspaceError as error:
            if error.code in ("TABLE_DOES_NOT_EXIST", "SCHEMA_DOES_NOT_EXIST"):
                return None
            raise
        catalog, schema, name = full_name.split(".", 2)
        database = self._database(catalog, schema)
        known = f"{database}.`{_plain(name)}`"
        if table["table_type"] == "VIEW":
            query = with_names(table["view_definition"], self.spark_name)
            self.plain_sql(f"CREATE OR REPLACE VIEW {known} AS {query}")
            return known
        place = workspace.call(
            "POST",
            "/api/2.0/unity-catalog/temporary-table-credentials",
            {"table_id": table["table_id"], "operation": "READ_WRITE" if writes else "READ"},
        )
        url = place["url"].replace("'", "\\'")
        self.plain_sql(f"CREATE TABLE IF NOT EXISTS {known} USING DELTA LOCATION '{url}'")
        return known

    def _database(self, catalog: str, schema: str) -> str:
        name = f"`{_plain(catalog)}__{_plain(schema)}`"
        self.plain_sql(f"CREATE DATABASE IF NOT EXISTS {name}")
        return name

    def use(self, catalog: str, schema: str) -> None:
        """Names of one part are Spark's own affair: it is told of all tables that are meant."""
        self.catalog, self.schema = catalog, schema
        self.plain_sql(f"USE {self._database(catalog, schema)}")
        full_name = f"{catalog}.{schema}".lower()
        if full_name not in self._all_schemas():
            return
        listed = workspace.call(
            "GET", "/api/2.1/unity-catalog/tables", catalog_name=catalog, schema_name=schema
        )
        for table in listed.get("tables", []):
            self._register(table["full_name"], False)

    def _look_again(self, statement: str) -> None:
        """At what a statement made, changed or dropped."""
        if {"SCHEMA", "DATABASE", "CATALOG"} & set(words(statement)[:4]):
            self.schemas = None
            return
        full_name = ".".join(self.full_parts(subject_of(statement))).lower()
        for writes in (True, False):
            known = self.known.pop(f"{full_name} {writes}", None)
            for kind in ("TABLE", "VIEW") if known else ():
                # Of the other kind, or gone with its files.
                with suppress(Exception):
                    self.plain_sql(f"DROP {kind} IF EXISTS {known}")
        self._register(full_name, False)

    # ─── Statements ─────────────────────────────────────────────────────────

    def sql(self, query: str, args: Any = None, **names: Any) -> DataFrame:
        first = (words(query) or [""])[0]
        if first == "USE":
            return self._run_use(query)
        if first not in OF_WORKSPACE or self._is_sparks_own(query):
            return self._run_in_spark(query, args, names)
        if first == "CREATE":
            split = split_query(query) if "VIEW" not in words(query)[:3] else None
            if split:
                return self._create_from_query(*split, args=args)
        found = self._run_in_workspace(query, args)
        if first in ("CREATE", "DROP", "ALTER"):
            self._look_again(query)
        return found

    def _is_sparks_own(self, query: str) -> bool:
        """What is temporary, and what stands nowhere but in this session."""
        said = words(query)
        if {"TEMP", "TEMPORARY"} & set(said[:4]) or "FUNCTION" in said[:4]:
            return True
        return said[0] in ("DROP", "DESCRIBE", "DESC") and any(map(self._is_temporary, said[1:]))

    def _is_temporary(self, name: str) -> bool:
        catalog = self.spark._jsparkSession.sessionState().catalog()
        return bool(catalog.getTempView(name.lower()).isDefined())

    def _run_in_spark(self, query: str, args: Any, names: Any) -> DataFrame:
        try:
            return self.plain_sql(with_names(query, self.spark_name), args, **names)
        except Exception as error:
            # Spark's words for a name that it has not; the workspace knows why.
            if "REQUIRES_SINGLE_PART_NAMESPACE" in str(error):
                with_names(query, self._require)
            raise

    def _require(self, parts: list[str], _writes: bool) -> None:
        """Raises what the workspace says of a name that it does not show."""
        if len(parts) >= 3:
            path = workspace.path_of(".".join(parts[:3]))
            workspace.call("GET", f"/api/2.1/unity-catalog/tables{path}")

    def _run_use(self, query: str) -> DataFrame:
        said = query.strip(" ;\n").split()[1:]
        kind = said[0].upper() if len(said) > 1 else ""
        parts = parts_of(said[-1])
        if kind == "CATALOG":
            self.use(parts[0], "default")
        else:
            self.use(*parts) if len(parts) == 2 else self.use(self.catalog, parts[0])
        return self._nothing()

    def _run_in_workspace(self, query: str, args: Any = None) -> DataFrame:
        parameters = [
            {"name": name, "value": str(value), "type": _sql_type(value)}
            for name, value in (args or {}).items()
        ]
        columns, rows = workspace.run_statement(
            query.rstrip(" ;\n"), parameters, catalog=self.catalog, schema=self.schema
        )
        if not columns:
            return self._nothing()
        as_text = ", ".join(f"`{column['name']}` STRING" for column in columns)
        frame = self.spark.createDataFrame([tuple(row) for row in rows], as_text)
        simple = [c for c in columns if "<" not in c["type_text"]]
        casts = {c["name"]: frame[f"`{c['name']}`"].cast(c["type_text"].lower()) for c in simple}
        return frame.withColumns(casts)

    def _nothing(self) -> DataFrame:
        return self.plain_sql("SELECT 1 WHERE false").select()

    def _create_from_query(self, head: str, query: str, *, args: Any) -> DataFrame:
        frame = self._run_in_spark(query, args, {})
        name = subject_of(head)
        columns = frame._jdf.schema().toDDL()
        place = head.index(name) + len(name)
        is_there = "EXISTS" in words(head) and self.exists(name)
        if not is_there:
            statement = f"{head[:place]} ({columns}) {head[place:]}"
            self._run_in_workspace(statement)
            self._look_again(statement)
            frame.write.insertInto(name)
        return self._nothing()

    # ─── Tables by name ─────────────────────────────────────────────────────

    def exists(self, name: str) -> bool:
        return self._register(".".join(self.full_parts(name)).lower(), False) is not None

    def full_parts(self, name: str) -> list[str]:
        parts = parts_of(name)
        return [*[self.catalog, self.schema][: 3 - len(parts)], *parts]

    def named(self, name: str, writes: bool = False) -> str:
        """For calls that take a table's name; what the workspace does not know is Spark's."""
        parts = parts_of(name)
        if len(parts) == 1:
            # A temporary view comes first, as in Databricks.
            if self._is_temporary(parts[0]):
                return name
            parts = self.full_parts(name)
        known = self.spark_name(parts, writes)
        if known is None:
            self._require(parts, writes)
        return known or name

    def save(self, frame: DataFrame, name: str, mode: str) -> bool:
        """Makes the table where there is none. Returns whether rows are to be written."""
        if self.exists(name):
            if mode in ("error", "errorifexists", "default"):
                raise workspace.WorkspaceError(
                    "TABLE_OR_VIEW_ALREADY_EXISTS", f"{name} is there already"
                )
            return mode != "ignore"
        columns = frame._jdf.schema().toDDL()
        quoted = ".".join(f"`{part}`" for part in self.full_parts(name))
        statement = f"CREATE TABLE {quoted} ({columns})"
        self._run_in_workspace(statement)
        self._look_again(statement)
        return True


def know_workspace(spark: SparkSession) -> WorkspaceTables:
    """From here on, all that takes a table's name in this session takes the workspace's."""
    tables = WorkspaceTables(spark)
    plain_read, plain_insert = DataFrameReader.table, DataFrameWriter.insertInto
    plain_save, plain_mode = DataFrameWriter.saveAsTable, DataFrameWriter.mode
    plain_exists = Catalog.tableExists

    def read(self: DataFrameReader, name: str) -> DataFrame:
        return plain_read(self, tables.named(name))

    def insert(self: DataFrameWriter, name: str, overwrite: bool | None = None) -> None:
        plain_insert(self, tables.named(name, writes=True), overwrite)

    def mode(self: DataFrameWriter, given: str | None) -> DataFrameWriter:
        self.workspace_mode = given
        return plain_mode(self, given)

    def save(
        self: DataFrameWriter,
        name: str,
        format: str | None = None,
        mode: str | None = None,
        **others: Any,
    ) -> None:
        chosen = (mode or getattr(self, "workspace_mode", None) or "error").lower()
        if not tables.save(self._df, name, chosen):
            return
        known = tables.named(name, writes=True)
        how = "overwrite" if chosen == "overwrite" else "append"
        plain_save(plain_mode(self, how).format("delta"), known, **others)

    def exists(self: Catalog, name: str, db: str | None = None) -> bool:
        full = name if db is None else f"{db}.{name}"
        return tables.exists(full) or (full.count(".") < 2 and plain_exists(self, name, db))

    def sql(_self: SparkSession, query: str, args: Any = None, **names: Any) -> DataFrame:
        return tables.sql(query, args, **names)

    def table(self: SparkSession, name: str) -> DataFrame:
        return self.read.table(name)

    # Of the classes, since programs get the session in many ways.
    SparkSession.sql, SparkSession.table = sql, table  # type: ignore[method-assign]
    DataFrameReader.table, DataFrameWriter.insertInto = read, insert  # type: ignore[method-assign]
    DataFrameWriter.saveAsTable, DataFrameWriter.mode = save, mode  # type: ignore[method-assign]
    Catalog.tableExists = exists  # type: ignore[method-assign]
    try:
        from delta.tables import DeltaTable
    except ImportError:
        return tables
    plain_for_name = DeltaTable.forName
    DeltaTable.forName = classmethod(  # type: ignore[method-assign, assignment]
        lambda _cls, session, name: plain_for_name(session, tables.named(name, writes=True))
    )
    return tables


def run_cell(tables: WorkspaceTables, sql: str) -> DataFrame | None:
    """All statements of a cell; the last one's rows."""
    frame = None
    for statement in statements(sql):
        frame = tables.sql(statement)
    return frame


def _plain(name: str) -> str:
    """Spark's own catalog takes letters, digits and _ in names."""
    return re.sub(r"\W", lambda found: f"_x{ord(found[0]):x}_", name)


def _sql_type(value: Any) -> str:
    kinds = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}
    return kinds.get(type(value), "STRING")
