"""A model on loopback, DSPy with an empty cache, and the spans that the callback makes."""

import os
import tempfile

# DSPy reads it when it is imported.
os.environ["DSPY_CACHEDIR"] = tempfile.mkdtemp(prefix="dspy-cache-")
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
for variable in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[variable]

from collections.abc import Callable, Iterator

import dspy
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otlp_receiver import OtlpReceiver
from spans import Spans
from stub_lm import StubLm

import dspy_databricks_agents


@pytest.fixture(scope="session")
def stub_server() -> Iterator[StubLm]:
    stub = StubLm()
    yield stub
    stub.close()


@pytest.fixture
def stub(stub_server: StubLm) -> Iterator[StubLm]:
    stub_server.ledger.__init__()
    yield stub_server
    stub_server.tells_usage = True


@pytest.fixture
def make_lm(stub: StubLm) -> Callable[..., dspy.LM]:
    def make(**options):
        defaults = {
            "api_base": stub.url,
            "api_key": "sk-secret",
            "temperature": 0.2,
            "max_tokens": 500,
            "num_retries": 0,
            "cache": False,
        }
        return dspy.LM("openai/gpt-4o-mini", **{**defaults, **options})

    return make


@pytest.fixture(autouse=True)
def configured(make_lm) -> Iterator[None]:
    dspy.configure(lm=make_lm(), callbacks=[], adapter=None, rm=None, track_usage=False)
    yield
    dspy_databricks_agents.uninstrument()


@pytest.fixture
def spans() -> Iterator[Spans]:
    """The spans of an instrumented DSPy. Prompts and answers are not recorded."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    dspy_databricks_agents.instrument(tracer_provider=provider)
    yield Spans(exporter)
    dspy_databricks_agents.uninstrument()


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    yield receiver
    dspy_databricks_agents.uninstrument()  # while it is still there
    receiver.close()
