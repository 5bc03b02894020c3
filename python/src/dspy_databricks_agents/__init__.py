"""Tells a monitor, or any OTLP receiver, what happens inside a DSPy program.

import dspy_databricks_agents

dspy_databricks_agents.instrument()
"""

from dspy_databricks_agents.instrument import Instrumentation, instrument, uninstrument
from dspy_databricks_agents.version import VERSION as __version__

__all__ = ["Instrumentation", "__version__", "instrument", "uninstrument"]
