"""A DSPy program sends telemetry of one convention to the monitor at the address that is given.

    python live-program.py CONVENTION URL

Prints what happened as it was seen from outside, request by request: by the caller, by the model,
and by a callback that only counts. `callback` is our package.
"""

import asyncio
import collections
import json
import os
import sys
import tempfile
import threading

CONVENTION, URL = sys.argv[1:]
SERVICE = "qa"
os.environ["DSPY_CACHEDIR"] = tempfile.mkdtemp(prefix="dspy-cache-")
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
if CONVENTION.startswith("mlflow"):
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["OTEL_SERVICE_NAME"] = SERVICE
    os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = URL + "/v1/traces"
    os.environ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf"
    if CONVENTION == "mlflow-genai":
        os.environ["MLFLOW_ENABLE_OTEL_GENAI_SEMCONV"] = "true"

import dspy
from stub_lm import StubLm

stub = StubLm()
begun = collections.Counter()
lock = threading.Lock()


class Counter(dspy.utils.BaseCallback):
    def on_lm_start(self, call_id, instance, inputs):
        self.count("lm")

    def on_module_start(self, call_id, instance, inputs):
        self.count("module " + type(instance).__name__)

    def on_tool_start(self, call_id, instance, inputs):
        self.count("tool " + instance.name)

    def count(self, what):
        with lock:
            begun[what] += 1


class Passage(dict):
    @property
    def long_text(self):
        return self["long_text"]


def search(query, k, **_):
    return [Passage(long_text=f"passage {number}") for number in range(k)]


def look_up(key: str) -> str:
    """Look something up."""
    return f"value of {key}"


def broken(key: str) -> str:
    """Always fails."""
    raise ConnectionError("no database")


class Rag(dspy.Module):
    def __init__(self):
        super().__init__()
        self.retrieve = dspy.Retrieve(k=2)
        self.generate = dspy.ChainOfThought("context, question -> answer")

    def forward(self, question):
        return self.generate(context=self.retrieve(question).passages, question=question)

    async def aforward(self, question):
        context = self.retrieve(question).passages
        return await self.generate.acall(context=context, question=question)


class Batch(dspy.Module):
    def __init__(self):
        super().__init__()
        self.rag = Rag()

    def forward(self, questions):
        pairs = [(self.rag, {"question": question}) for question in questions]
        return dspy.Parallel(num_threads=3, disable_progress_bar=True)(pairs)


def start_telemetry():
    """Returns what sends all that is not sent yet, and tells whether the monitor took it."""
    if CONVENTION == "callback":
        import dspy_databricks_agents

        return dspy_databricks_agents.instrument(endpoint=URL, service_name=SERVICE).force_flush
    if CONVENTION.startswith("mlflow"):
        import mlflow
        from mlflow.tracing.provider import provider as mlflow_provider

        mlflow.dspy.autolog()
        return lambda: mlflow_provider.get().force_flush()

    from openinference.instrumentation.dspy import DSPyInstrumentor
    from openinference.instrumentation.litellm import LiteLLMInstrumentor
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=URL + "/v1/traces")))
    DSPyInstrumentor().instrument(tracer_provider=provider)
    if CONVENTION == "openinference-litellm":
        LiteLLMInstrumentor().instrument(tracer_provider=provider)
    return provider.force_flush


flush = start_telemetry()
settings = {"api_key": "x", "num_retries": 0, "timeout": 0.6, "max_tokens": 500}
if CONVENTION == "openinference-litellm":
    settings["engine"] = "litellm"  # otherwise DSPy calls the model by itself
lm = dspy.LM("openai/gpt-4o-mini", api_base=stub.url, **settings)
away = dspy.LM("openai/gpt-4o-mini", api_base="http://127.0.0.1:9/v1", **settings)
patient = dspy.LM("openai/gpt-4o-mini", api_base=stub.url, **{**settings, "num_retries": 2})
dspy.configure(lm=lm, rm=search, callbacks=[*dspy.settings.callbacks, Counter()])

rag, batch = Rag(), Batch()
agent = dspy.ReAct("question -> answer", tools=[look_up, broken], max_iters=3)
listener = dspy.streaming.StreamListener(signature_field_name="answer", allow_reuse=True)
streamed = dspy.streamify(rag, stream_listeners=[listener])


async def stream(question):
    return [item async for item in streamed(question=question)]


def with_lm(other, question):
    with dspy.context(lm=other):
        return rag(question=question)


requests = [
    *(("rag", lambda n=n: rag(question=f"question {n}")) for n in range(4)),
    *(("cached", lambda n=n: rag(question=f"question {n}")) for n in range(2)),
    ("async", lambda: asyncio.run(rag.acall(question="asynchronous"))),
    ("stream", lambda: asyncio.run(stream("a stream"))),
    ("parallel", lambda: batch(questions=["one", "two", "three"])),
    ("react", lambda: agent(question="use look_up")),
    ("tool-error", lambda: agent(question="use broken")),  # the agent goes on
    ("endless", lambda: agent(question="#endless")),
    ("fallback", lambda: rag(question="#unparsable-once")),
    ("429", lambda: rag(question="#429")),
    ("retried", lambda: with_lm(patient, "#429-once")),
    ("401", lambda: rag(question="#401")),
    ("500", lambda: rag(question="#500")),
    ("context", lambda: rag(question="#context")),
    ("not-json", lambda: rag(question="#notjson")),
    ("away", lambda: with_lm(away, "no model")),
    ("timeout", lambda: rag(question="#hang")),
    ("unparsable", lambda: rag(question="#unparsable")),
    ("stream-dropped", lambda: asyncio.run(stream("#drop"))),
]


def seen_from_outside():
    delivered = stub.ledger
    return {
        "modelCalls": begun["lm"],
        "answered": delivered.requests,
        "inputTokens": delivered.input_tokens,
        "outputTokens": delivered.output_tokens,
        "cachedTokens": delivered.cached_tokens,
    }


for name, request in requests:
    before = seen_from_outside()
    error = None
    try:
        request()
    except BaseException as raised:
        error = type(raised).__name__
    # What the model sends to a caller that has given up is not delivered.
    now = seen_from_outside()
    ledger = {key: now[key] - before[key] for key in now}
    print("LEDGER " + json.dumps({"name": name, "error": error, **ledger}))
print("CALLS " + json.dumps(begun))
if not flush():
    sys.exit("the monitor did not take the telemetry")
