"""Runs one notebook of the local workspace from top to bottom.

    python run_notebook.py DIRECTORY

`DIRECTORY/run.json` says which cells with which parameters; `DIRECTORY/outcome.json` gets what the
notebook ended with: `{"result"}`, or `{"error", "error_trace"}`. What it prints goes to the output.
"""

import base64
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("TZ", "UTC")
os.environ.setdefault("MPLBACKEND", "Agg")

import workspace
from dbutils import DbUtils, NotebookExit
from notebook_source import Cell, read_cells

# Starting Spark takes ten seconds, which a notebook without it need not wait.
NEEDS_SPARK = re.compile(r"\b(spark|sc|sqlContext|SparkSession|pyspark|delta)\b|_sqldf|\bdisplay\b")
SHOWN_ROWS = 1000


def main() -> int:
    directory = Path(sys.argv[1])
    outcome: dict[str, Any] = {}
    try:
        run = json.loads((directory / "run.json").read_text(encoding="utf-8"))
        Runner(run, directory).run_all()
    except NotebookExit as end:
        outcome = {"result": end.value}
    except BaseException as error:
        name = "SystemExit" if isinstance(error, SystemExit) else type(error).__name__
        outcome = {"error": f"{name}: {error}", "error_trace": _trace(error)}
        sys.stderr.write(outcome["error_trace"])
    sys.stdout.flush()
    part = directory / "outcome.part"
    part.write_text(json.dumps(outcome), encoding="utf-8")
    part.rename(directory / "outcome.json")
    return 1 if "error" in outcome else 0


class Runner:
    def __init__(self, run: dict[str, Any], directory: Path) -> None:
        self.run = run
        self.directory = directory
        self.tables: Any = None
        self.dbutils = DbUtils(run["parameters"])
        self.namespace: dict[str, Any] = {
            "__name__": "__main__",
            "dbutils": self.dbutils,
            "getArgument": self.dbutils.widgets.get,
            "display": self.display,
            "displayHTML": lambda _html: None,
        }

    def run_all(self) -> None:
        source = self.run["content"]
        cells = read_cells(
            source, language=self.run["language"], is_jupyter=self.run["format"] == "JUPYTER"
        )
        self.run_cells(cells, self.run["path"])

    def run_cells(self, cells: list[Cell], path: str) -> None:
        for number, cell in enumerate(cells, start=1):
            match cell.language:
                case "python":
                    self.run_python(cell.source, f"{path}, cell {number}")
                case "sql":
                    self.run_sql(cell.source)
                case "run":
                    self.run_other(cell.source.strip().strip("\"'"), path)
                case "pip":
                    print(f"{cell.source.strip()}: not installed; --python has what it has")
                case other:
                    raise NotImplementedError(f"the local workspace runs no %{other} cells")

    def run_python(self, source: str, name: str) -> None:
        if NEEDS_SPARK.search(source):
            self.start_spark()
        exec(compile(source, name, "exec"), self.namespace)

    def run_sql(self, source: str) -> None:
        self.start_spark()
        from workspace_tables import run_cell

        frame = run_cell(self.tables, source)
        if frame is not None and frame.columns:
            self.namespace["_sqldf"] = frame
            self.display(frame)

    def run_other(self, given: str, path: str) -> None:
        """`%run ./other`: its cells, here."""
        other = os.path.normpath(os.path.join(os.path.dirname(path), given))
        told = workspace.call("GET", "/api/2.0/workspace/export", path=other, format="AUTO")
        is_jupyter = told.get("file_type") == "ipynb"
        language = "SQL" if told.get("file_type") == "sql" else "PYTHON"
        content = base64.b64decode(told["content"]).decode()
        self.run_cells(read_cells(content, language=language, is_jupyter=is_jupyter), other)

    def start_spark(self) -> None:
        if self.tables is not None:
            return
        try:
            from spark_session import start_spark
            from workspace_tables import know_workspace
        except ImportError as error:
            raise ImportError(
                f"{sys.executable} has no pyspark ({error}):"
                ' give --python one in which "pip install pyspark delta-spark" was run'
            ) from error
        spark = start_spark(str(self.directory / "warehouse"))
        self.tables = know_workspace(spark)
        self.namespace |= {"spark": spark, "sc": spark.sparkContext, "sqlContext": spark}

    def display(self, value: Any, *_: Any, **__: Any) -> None:
        if hasattr(value, "show") and hasattr(value, "columns"):
            value.show(SHOWN_ROWS, truncate=False)
        else:
            print(value)


def _trace(error: BaseException) -> str:
    """From the notebook on: what stands above it is this program."""
    frames = traceback.extract_tb(error.__traceback__)
    own = str(Path(__file__).parent)
    shown = [f for f in frames if not f.filename.startswith(own)]
    head = "Traceback (most recent call last):\n" + "".join(traceback.format_list(shown))
    return head + "".join(traceback.format_exception_only(error))


if __name__ == "__main__":
    sys.exit(main())
