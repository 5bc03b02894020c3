"""Whatever breaks inside: the agent gets its answer, DSPy its settings, and the log one line."""

import logging

import dspy
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span

import dspy_databricks_agents
from dspy_databricks_agents import callback, lm_call, module_path, open_call, release
from dspy_databricks_agents.callback import TelemetryCallback

# Every function that a call goes through, each made to fail alone.
STEPS = [
    (TelemetryCallback, "_start"),
    (TelemetryCallback, "_parent_context"),
    (TelemetryCallback, "_tell_release"),
    (TelemetryCallback, "_describe_end"),
    (callback, "current_call"),
    (callback, "error_class_of"),
    (callback, "_failure_class"),
    (callback, "passes_on"),
    (callback, "stopped_at_iterations_max"),
    (callback, "content_of"),
    (callback, "message_of"),
    (callback, "OpenCall"),
    (callback, "LmCall"),
    (open_call.OpenCall, "enter"),
    (module_path, "_walk"),
    (module_path, "_held"),
    (module_path.ModulePaths, "locate"),
    (module_path.ModulePaths, "_path_within"),
    (release, "parts_of"),
    (release, "_state_of"),
    (release, "_predictor_state"),
    (release, "_lm_state"),
    (release, "_hash"),
    (release.Releases, "of"),
    (lm_call, "_number"),
    (lm_call, "_told"),
    (lm_call, "_asked"),
    (lm_call.LmCall, "attributes_at_start"),
    (lm_call.LmCall, "attributes_at_end"),
    (lm_call.LmCall, "_history_entry"),
    (lm_call.LmCall, "_is_hit"),
    (lm_call.CallUsage, "sum"),
    (lm_call.CallUsage, "__init__"),
]


class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.generate = dspy.ChainOfThought("question -> answer")
        self.agent = dspy.ReAct("question -> answer", tools=[broken], max_iters=2)

    def forward(self, question):
        with pytest.raises(Exception, match="The server had an error"):
            self.generate(question="#500")
        self.agent(question=question)
        return self.generate(question=question)


def broken(key: str) -> str:
    """Always fails."""
    raise ConnectionError("no database")


def fail(*_args, **_kwargs):
    raise RuntimeError("a fault of the telemetry")


@pytest.mark.parametrize(
    ("owner", "name"), STEPS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_step_that_fails(monkeypatch, caplog, owner, name, receiver):
    telemetry = dspy_databricks_agents.instrument(endpoint=receiver.url, capture_content=True)
    monkeypatch.setattr(owner, name, fail)
    with caplog.at_level(logging.WARNING):
        assert Program()(question="use broken").answer.startswith("the answer")
    assert dspy.settings.get(open_call.SETTING) is None
    assert dspy.settings.usage_tracker is None
    assert dspy.settings.send_stream is None
    faults = [r for r in caplog.records if "incomplete" in r.getMessage()]
    assert len(faults) == 1, "the step is no longer part of a call, or is told of more than once"
    others = [r for r in caplog.records if "callback" in r.getMessage().lower()]
    assert others == []
    monkeypatch.undo()
    telemetry.shutdown()


@pytest.mark.parametrize("name", ["set_attribute", "set_attributes", "set_status", "end"])
def test_a_span_that_fails(monkeypatch, caplog, name, receiver):
    from opentelemetry.sdk.trace import Span as SdkSpan

    assert issubclass(SdkSpan, Span)
    dspy_databricks_agents.instrument(endpoint=receiver.url)
    monkeypatch.setattr(SdkSpan, name, fail)
    assert Program()(question="use broken").answer.startswith("the answer")
    assert dspy.settings.get(open_call.SETTING) is None
    assert len([r for r in caplog.records if "incomplete" in r.getMessage()]) == 1


def test_a_provider_that_fails(caplog):
    class Broken(TracerProvider):
        def get_tracer(self, *_, **__):
            class Tracer:
                start_span = staticmethod(fail)

            return Tracer()

    dspy_databricks_agents.instrument(tracer_provider=Broken(shutdown_on_exit=False))
    assert Program()(question="use broken").answer.startswith("the answer")


def test_a_sender_without_threads_left(monkeypatch, receiver):
    import threading

    dspy_databricks_agents.instrument(endpoint=receiver.url)
    start = threading.Thread.start
    ours = "dspy-telemetry"
    monkeypatch.setattr(
        threading.Thread, "start", lambda self: fail() if self.name == ours else start(self)
    )
    assert dspy.Predict("question -> answer")(question="why?").answer


def test_the_exception_of_the_agent_is_the_one_that_its_caller_sees(spans):
    class Fails(dspy.Module):
        def forward(self):
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        Fails()()


def test_an_interrupt_ends_the_spans_too(spans):
    class Interrupted(dspy.Module):
        def forward(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted()()
    assert [span.attributes["error.type"] for span in spans.all()] == ["KeyboardInterrupt"]
