"""The version of this package, as its distribution says."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("dspy-databricks-agents")
except PackageNotFoundError:  # run from the sources, without being installed
    VERSION = "0.0.0"
