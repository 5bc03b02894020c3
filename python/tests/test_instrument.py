"""`instrument()`: on and off, in any order with DSPy's own settings, and to the right place."""

import logging
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import dspy
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dspy_databricks_agents
from dspy_databricks_agents.resource import resource_of

ROOT = Path(__file__).parent.parent


def ask():
    return dspy.Predict("question -> answer")(question="why?")


def test_spans_arrive_with_their_resource(receiver, monkeypatch):
    monkeypatch.setenv("DSPY_MODEL_VERSION", "7")
    monkeypatch.setenv("GIT_COMMIT", "abc123")
    telemetry = dspy_databricks_agents.instrument(
        endpoint=receiver.url, service_name="support", headers={"authorization": "Bearer t"}
    )
    ask()
    assert telemetry.force_flush()
    assert len(receiver.spans) == 3
    resource = receiver.resources[0]
    assert resource["service.name"] == "support"
    assert resource["dspy.model.version"] == "7"
    assert resource["vcs.ref.head.revision"] == "abc123"
    assert receiver.headers[0]["authorization"] == "Bearer t"
    assert receiver.headers[0]["content-type"] == "application/x-protobuf"


def test_the_standard_variables_count(receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "by-variable")
    telemetry = dspy_databricks_agents.instrument()
    ask()
    assert telemetry.force_flush()
    assert receiver.resources[0]["service.name"] == "by-variable"
    assert receiver.headers[0]["authorization"] == "Bearer t"
    assert receiver.headers[0]["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {}),
        ({"DATABRICKS_APP_NAME": "qa"}, {"service.name": "qa", "dspy.platform": "databricks_apps"}),
        (
            {"IS_IN_DB_MODEL_SERVING_ENV": "true", "DSPY_ENDPOINT": "qa"},
            {
                "service.name": "qa",
                "dspy.endpoint": "qa",
                "dspy.platform": "databricks_model_serving",
            },
        ),
        (
            {"OTEL_SERVICE_NAME": "named", "DATABRICKS_APP_NAME": "qa"},
            {"service.name": "named", "dspy.platform": "databricks_apps"},
        ),
        (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=named", "DSPY_ENDPOINT": "qa"},
            {"service.name": "named", "dspy.endpoint": "qa"},
        ),
    ],
)
def test_the_platform_names_the_agent(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    resource = resource_of(os.environ).attributes
    names = ("service.name", "dspy.endpoint", "dspy.platform")
    told = {name: resource[name] for name in names if name in resource}
    if "service.name" not in expected:
        assert told.pop("service.name").startswith("unknown_service")
    assert told == expected


def test_it_is_on_once_and_off_again(receiver):
    first = dspy_databricks_agents.instrument(endpoint=receiver.url)
    assert dspy_databricks_agents.instrument(endpoint="http://elsewhere.example") is first
    ask()
    dspy_databricks_agents.uninstrument()
    dspy_databricks_agents.uninstrument()
    first.shutdown()
    assert len(receiver.spans) == 3
    assert dspy.settings.callbacks == []
    ask()
    again = dspy_databricks_agents.instrument(endpoint=receiver.url)
    assert again is not first
    ask()
    assert again.force_flush()
    assert len(receiver.spans) == 6


def test_it_survives_callbacks_that_are_configured_later(spans):
    class Mine(dspy.utils.BaseCallback):
        called = 0

        def on_module_start(self, call_id, instance, inputs):
            Mine.called += 1

    dspy.configure(callbacks=[Mine()])
    ask()
    with dspy.context(callbacks=[]):
        ask()
    dspy.settings.callbacks = [Mine()]
    ask()
    assert Mine.called == 2
    assert len(spans.roots()) == 3


def test_a_program_that_was_made_a_stream_before_is_seen_too():
    import asyncio

    streamed = dspy.streamify(dspy.Predict("question -> answer"))
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    dspy_databricks_agents.instrument(tracer_provider=provider)

    async def read():
        return [item async for item in streamed(question="why?")]

    asyncio.run(read())
    assert "Predict self" in [span.name for span in exporter.get_finished_spans()]


def test_another_thread_may_configure_dspy_afterwards():
    script = """
        import threading, dspy, dspy_databricks_agents
        dspy_databricks_agents.instrument(endpoint="http://127.0.0.1:9")
        def configure():
            dspy.configure(lm=dspy.LM("openai/m", api_key="x"))
            print("configured")
        thread = threading.Thread(target=configure)
        thread.start()
        thread.join()
    """
    assert run_python(script).stdout.strip() == "configured"


def test_spans_of_a_global_provider_are_parents_and_ours_go_there():
    script = """
        import dspy, dspy_databricks_agents
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        dspy_databricks_agents.instrument()
        class Inner(dspy.Module):
            def forward(self):
                with trace.get_tracer("theirs").start_as_current_span("inside"):
                    return Innermost()()
        class Innermost(dspy.Module):
            def forward(self):
                return 1
        with trace.get_tracer("theirs").start_as_current_span("GET /ask"):
            Inner()()
        spans = {span.context.span_id: span for span in exporter.get_finished_spans()}
        for span in spans.values():
            print(span.name, "<", span.parent and spans[span.parent.span_id].name)
    """
    assert run_python(script).stdout.splitlines() == [
        "Innermost Innermost < inside",
        "inside < Inner self",
        "Inner self < GET /ask",
        "GET /ask < None",
    ]


def test_with_a_provider_of_our_own_spans_of_others_are_no_parents(receiver):
    telemetry = dspy_databricks_agents.instrument(endpoint=receiver.url)
    theirs = TracerProvider(shutdown_on_exit=False).get_tracer("theirs")
    with theirs.start_as_current_span("elsewhere") as span:
        ask()
        assert trace.get_current_span() is span
    telemetry.force_flush()
    assert [s.name for s in receiver.spans if not s.parent_span_id] == ["Predict self"]


@pytest.mark.parametrize("variable", ["OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none"])
def test_it_can_be_turned_off_from_outside(receiver, monkeypatch, variable):
    name, value = variable.split("=")
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    telemetry = dspy_databricks_agents.instrument()
    assert ask().answer
    assert telemetry.force_flush()
    assert receiver.posts == 0


def test_a_monitor_that_is_away_costs_one_warning_and_bounded_memory(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    telemetry = dspy_databricks_agents.instrument(endpoint="http://user:pass@127.0.0.1:9")
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            assert ask().answer
        telemetry.force_flush(3_000)
    ours = [record for record in caplog.records if "urllib3" not in record.name]
    ours = [record for record in ours if record.levelno >= logging.WARNING]
    assert [record.name for record in ours] == ["dspy_databricks_agents"]
    assert "pass" not in ours[0].getMessage()
    assert telemetry.dropped_spans == 40


def test_a_monitor_that_comes_back_gets_what_waited(receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    receiver.status = 503
    telemetry = dspy_databricks_agents.instrument(endpoint=receiver.url)
    ask()
    assert not telemetry.force_flush(5_000)
    receiver.status = 200
    assert telemetry.force_flush()
    assert len(receiver.spans) == 3


def test_the_end_of_the_process_sends_the_rest(receiver):
    script = f"""
        import dspy, dspy_databricks_agents
        dspy_databricks_agents.instrument(endpoint="{receiver.url}")
        class Program(dspy.Module):
            def forward(self):
                return 1
        Program()()
    """
    run_python(script)
    assert receiver.names() == ["Program self"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_workers_that_are_forked_later_report_for_themselves(receiver, stub):
    script = f"""
        import os, sys, dspy, dspy_databricks_agents
        telemetry = dspy_databricks_agents.instrument(endpoint="{receiver.url}")
        class Program(dspy.Module):
            def __init__(self, name):
                super().__init__()
                self.name = name
            def forward(self):
                return self.name
        class Master(Program): pass
        class Worker(Program): pass
        Master("master")()
        telemetry.force_flush()          # the connection is open, its thread runs
        Master("master")()               # and this waits while the workers begin
        children = []
        for number in range(3):
            child = os.fork()
            if child == 0:
                Worker("worker")()
                os._exit(0 if telemetry.force_flush(5000) else 1)
            children.append(child)
        failed = [os.waitpid(child, 0)[1] for child in children]
        sys.exit(any(failed))
    """
    run_python(script)
    assert sorted(receiver.names()) == ["Master self"] * 2 + ["Worker self"] * 3
    assert len({span.trace_id for span in receiver.spans}) == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_workers_of_a_pool_send_what_is_waiting_at_their_end(receiver, stub):
    script = f"""
        import concurrent.futures, multiprocessing, dspy, dspy_databricks_agents
        dspy_databricks_agents.instrument(endpoint="{receiver.url}")
        class Program(dspy.Module):
            def forward(self): return 1
        program = Program()
        def work(number): return program()
        program()
        fork = multiprocessing.get_context("fork")
        worker = fork.Process(target=work, args=(1,))
        worker.start()
        worker.join()
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
            list(pool.map(work, range(4)))
    """
    run_python(script)
    assert receiver.names() == ["Program self"] * 6


def test_instrument_in_many_threads_is_one(receiver):
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(dspy_databricks_agents.instrument(endpoint=receiver.url))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert len(dspy.settings.callbacks) == 1


def run_python(script):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
