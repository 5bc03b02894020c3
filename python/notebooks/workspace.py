"""Asks the workspace over its REST API, as whoever the run belongs to."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

HOST = os.environ["DATABRICKS_HOST"]
TOKEN = os.environ["DATABRICKS_TOKEN"]
# A statement that takes longer is asked for again.
WAIT_S = 50


class WorkspaceError(Exception):
    """What the workspace refused, in its words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code


def call(method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
    url = HOST + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        told = json.loads(error.read() or b"{}")
        raise WorkspaceError(
            told.get("error_code", str(error.code)), told.get("message", "")
        ) from None


def path_of(*parts: str) -> str:
    return "".join("/" + urllib.parse.quote(part, safe="") for part in parts)


def run_statement(
    sql: str, parameters: list[dict[str, Any]], *, catalog: str, schema: str
) -> tuple[list[dict[str, str]], list[list[str | None]]]:
    """Columns, and rows as text. Raises WorkspaceError with what SQL refused."""
    warehouses = call("GET", "/api/2.0/sql/warehouses")["warehouses"]
    told = call(
        "POST",
        "/api/2.0/sql/statements",
        {
            "statement": sql,
            "warehouse_id": warehouses[0]["id"],
            "catalog": catalog,
            "schema": schema,
            "parameters": parameters,
            "wait_timeout": f"{WAIT_S}s",
        },
    )
    while told["status"]["state"] in ("PENDING", "RUNNING"):
        told = call("GET", f"/api/2.0/sql/statements/{told['statement_id']}")
    if told["status"]["state"] != "SUCCEEDED":
        error = told["status"].get("error", {})
        raise WorkspaceError(error.get("error_code", "FAILED"), error.get("message", ""))
    columns = told["manifest"]["schema"].get("columns", [])
    rows: list[list[str | None]] = []
    part = told.get("result", {})
    while part:
        rows += part.get("data_array", [])
        link = part.get("next_chunk_internal_link")
        part = call("GET", link) if link else None
    return columns, rows
