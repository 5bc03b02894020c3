"""A Spark session with Delta: reads one JSON request a line, answers one a line.

{"sql": "…"} runs a statement; {"delta_rs": "/table"} reads a table with delta-rs, with
{"filter": ["column", ">", value]} for only the files that its statistics leave;
{"notebook": "/file.ipynb"} runs its cells from top to bottom, and tells what each
printed and drew.
"""

import datetime
import decimal
import json
import os
import sys
from glob import glob

os.environ["TZ"] = "UTC"
from pyspark.sql import SparkSession

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

warehouse, jars = sys.argv[1:3]
compiles = os.environ.get("SPARK_COMPILES", "false")
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", ",".join(glob(f"{jars}/*.jar")))
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.warehouse.dir", warehouse)
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.memory", os.environ.get("SPARK_MEMORY", "1g"))
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.databricks.delta.snapshotPartitions", "2")
    .config("spark.sql.ansi.enabled", "true")
    # Each statement runs once over few rows: compiling it costs more than it saves.
    .config("spark.sql.codegen.wholeStage", compiles)
    .config("spark.sql.codegen.factoryMode", "FALLBACK" if compiles == "true" else "NO_CODEGEN")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def plain(value):
    """As Databricks' API writes a value: text, or null; nested ones as JSON text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    if isinstance(value, float):
        return spark._jvm.java.lang.Double.toString(value)
    if isinstance(value, (datetime.date, decimal.Decimal, int, str)):
        return str(value)
    return json.dumps(nested(value), separators=(",", ":"), ensure_ascii=False)


def nested(value):
    if isinstance(value, dict):
        return {plain(key): nested(item) for key, item in value.items()}
    if hasattr(value, "asDict"):
        return {key: nested(item) for key, item in value.asDict().items()}
    if isinstance(value, list):
        return [nested(item) for item in value]
    return plain(value)


def read_delta_rs(path, only):
    import pyarrow.compute as compute
    from deltalake import DeltaTable

    table = DeltaTable(path)
    dataset = table.to_pyarrow_dataset()
    condition = None
    if only:
        column, operator, value = only
        field = compute.field(column)
        condition = {">": field > value, "=": field == value}[operator]
    fragments = list(dataset.get_fragments(filter=condition))
    rows = dataset.to_table(filter=condition)
    rows = rows.sort_by([(rows.column_names[0], "ascending")])
    values = []
    for row in rows.to_pylist():
        values.append([plain(dict(cell) if isinstance(cell, list) and cell and isinstance(cell[0], tuple) else cell) for cell in row.values()])
    return {"rows": values, "files": len(fragments), "version": table.version()}


def count_files(sql):
    """How many files Spark read, by the metrics of its own scan."""
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    frame = spark.sql(sql)
    rows = [[plain(cell) for cell in row] for row in frame.collect()]
    leaves = frame._jdf.queryExecution().executedPlan().collectLeaves()
    scans = [leaves.apply(at).metrics() for at in range(leaves.size())]
    files = sum(scan.apply("numFiles").value() for scan in scans if scan.contains("numFiles"))
    spark.conf.unset("spark.sql.adaptive.enabled")
    return {"rows": rows, "files": files}


def run_notebook(path):
    import contextlib
    import io

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = []

    def show():
        for number in plt.get_fignums():
            for axes in plt.figure(number).axes:
                drawn.append({
                    "title": axes.get_title(loc="left"),
                    "points": sum(len(line.get_xdata()) for line in axes.get_lines()),
                    "bars": sum(1 for bar in axes.patches if bar.get_width() > 0),
                })
            plt.close(number)

    plt.show = show
    namespace = {"spark": spark, "__name__": "__main__"}
    with open(path) as file:
        cells = json.load(file)["cells"]
    told = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), cell["id"], "exec"), namespace)
        told.append({"id": cell["id"], "printed": printed.getvalue(), "figures": list(drawn)})
        drawn.clear()
    return {"rows": [], "cells": told}


def answer(request):
    if "notebook" in request:
        return run_notebook(request["notebook"])
    if "delta_rs" in request:
        return read_delta_rs(request["delta_rs"], request.get("filter"))
    if request.get("count_files"):
        return count_files(request["sql"])
    frame = spark.sql(request["sql"])
    rows = [[plain(cell) for cell in row] for row in frame.collect()]
    return {"rows": rows, "columns": frame.columns, "types": [kind for _, kind in frame.dtypes]}


print(json.dumps({"ready": True}), file=answers, flush=True)
for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:
        result = {"error": str(error)}
    print(json.dumps(result), file=answers, flush=True)
