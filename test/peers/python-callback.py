"""A DSPy program, instrumented by our package, sends to the monitor at the address that is given.

Prints what happened as it was seen from outside: by the callers, by the model, and by a callback
that only counts.
"""
import asyncio
import json
import os
import sys
import tempfile
import threading

os.environ["DSPY_CACHEDIR"] = tempfile.mkdtemp(prefix="dspy-cache-")
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import dspy
from stub_lm import StubLm

import dspy_databricks_agents

stub = StubLm()
begun = 0
lock = threading.Lock()


class Counter(dspy.utils.BaseCallback):
    def on_lm_start(self, call_id, instance, inputs):
        global begun
        with lock:
            begun += 1


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


telemetry = dspy_databricks_agents.instrument(endpoint=sys.argv[1], service_name="qa")
lm = dspy.LM(
    "openai/gpt-4o-mini", api_base=stub.url, api_key="x", num_retries=0, timeout=0.6, max_tokens=500
)
dspy.configure(lm=lm, rm=search, callbacks=[Counter()])

rag, batch = Rag(), Batch()
agent = dspy.ReAct("question -> answer", tools=[look_up, broken], max_iters=3)
listener = dspy.streaming.StreamListener(signature_field_name="answer", allow_reuse=True)
streamed = dspy.streamify(rag, stream_listeners=[listener])


async def stream(question):
    return [item async for item in streamed(question=question)]


requests = [
    *(lambda n=n: rag(question=f"question {n}") for n in range(4)),
    *(lambda n=n: rag(question=f"question {n}") for n in range(2)),  # from the cache
    lambda: asyncio.run(rag.acall(question="asynchronous")),
    lambda: asyncio.run(stream("a stream")),
    lambda: batch(questions=["one", "two", "three"]),
    lambda: agent(question="use look_up"),
    lambda: agent(question="use broken"),  # the agent goes on
    lambda: agent(question="#endless"),
    lambda: rag(question="#unparsable-once"),
    lambda: rag(question="#429"),
    lambda: rag(question="#500"),
    lambda: rag(question="#context"),
    lambda: rag(question="#hang"),
    lambda: rag(question="#unparsable"),
    lambda: asyncio.run(stream("#drop")),
]
failed = 0
for request in requests:
    try:
        request()
    except BaseException:
        failed += 1
# What the model sends to a caller that has given up is not delivered.
delivered = stub.ledger
if not telemetry.force_flush():
    sys.exit("the monitor did not take the telemetry")
ledger = {
    "requests": len(requests),
    "failed": failed,
    "modelCalls": begun,
    "cacheHits": begun - delivered.requests,
    "inputTokens": delivered.input_tokens,
    "outputTokens": delivered.output_tokens,
}
print("LEDGER " + json.dumps(ledger))
