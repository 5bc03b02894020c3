"""The Spark that a notebook runs on: this process alone, with Delta."""

import importlib.util
import os
import sys
from glob import glob
from pathlib import Path

from pyspark.sql import SparkSession

DRIVER_MEMORY = os.environ.get("SPARK_DRIVER_MEMORY", "1g")


def start_spark(warehouse: str) -> SparkSession:
    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.sql.warehouse.dir", warehouse)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", DRIVER_MEMORY)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "true")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.databricks.delta.snapshotPartitions", "2")
        # For little data on a small machine: compiling costs more than it saves.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    )
    jars = _delta_jars()
    if jars:
        builder = builder.config("spark.jars", ",".join(jars))
    elif importlib.util.find_spec("delta"):
        # Fetches them by Maven's coordinates, once.
        from delta import configure_spark_with_delta_pip

        builder = configure_spark_with_delta_pip(builder)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def _delta_jars() -> list[str]:
    """In the folder `jars` of the environment; those of Spark itself need no mention."""
    return sorted(glob(str(Path(sys.prefix) / "jars" / "*.jar")))
