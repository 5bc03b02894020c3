"""Sending: in batches, bounded, quiet when nobody listens, and alive after a fork."""

import logging
import os
import threading
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from dspy_databricks_agents.span_sender import SpanSender


class Recording(SpanExporter):
    """Takes batches, or refuses them as often as it is told."""

    def __init__(self, refusals=0, gate=None):
        self.refusals = refusals
        self.gate = gate
        self.batches = []
        self.attempts = 0

    def export(self, spans):
        if self.gate is not None:
            self.gate.wait(10)
        self.attempts += 1
        if self.refusals:
            self.refusals -= 1
            return SpanExportResult.FAILURE
        self.batches.append([span.name for span in spans])
        return SpanExportResult.SUCCESS

    def names(self):
        return [name for batch in self.batches for name in batch]


@pytest.fixture
def started():
    senders = []

    def start(exporter, **options):
        sender = SpanSender(lambda: exporter, **{"delay_s": 60, **options})
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(sender)
        senders.append(sender)
        tracer = provider.get_tracer("test")

        def end(*names):
            for name in names:
                tracer.start_span(name).end()

        return sender, end

    yield start
    for sender in senders:
        sender.shutdown(timeout_s=0.1)


def numbered(count):
    return [str(number) for number in range(count)]


def test_a_flush_sends_everything_in_order_and_in_batches(started):
    exporter = Recording()
    sender, end = started(exporter, batch_spans_max=4)
    end(*numbered(10))
    assert sender.force_flush()
    assert exporter.names() == numbered(10)
    assert max(map(len, exporter.batches)) <= 4


def test_a_full_batch_is_sent_without_a_flush(started):
    gate = threading.Event()
    exporter = Recording(gate=gate)
    gate.set()
    sender, end = started(exporter, batch_spans_max=3)
    end("a", "b", "c")
    assert sender.force_flush()
    assert exporter.names() == ["a", "b", "c"]


def test_the_end_of_a_span_does_not_wait_for_a_receiver_that_hangs(started):
    gate = threading.Event()
    exporter = Recording(gate=gate)
    sender, end = started(exporter, batch_spans_max=2, queue_spans_max=50)
    began = time.perf_counter()
    end(*numbered(5_000))
    assert time.perf_counter() - began < 2
    assert len(sender._queue) <= 50
    assert sender.dropped_spans >= 4_900
    gate.set()
    assert sender.force_flush()
    # The newest are kept: they tell of what is wrong now.
    assert exporter.names()[-1] == "4999"


def test_what_was_refused_is_sent_again_in_order(started):
    exporter = Recording(refusals=2)
    sender, end = started(exporter)
    end("a", "b", "c")
    assert not sender.force_flush()
    assert not sender.force_flush()
    assert sender.force_flush()
    assert exporter.names() == ["a", "b", "c"]
    assert sender.dropped_spans == 0


def test_a_batch_that_is_refused_for_ever_is_given_up(started):
    exporter = Recording(refusals=10)
    sender, end = started(exporter, batch_spans_max=2)
    end("bad", "bad", "good")
    flushed = [sender.force_flush() for _ in range(11)]
    assert flushed[-1] is True
    assert exporter.names() == ["good"]
    assert sender.dropped_spans == 2


def test_an_exporter_that_raises_is_a_refusal(started):
    class Raising(Recording):
        def export(self, spans):
            if self.refusals:
                self.refusals -= 1
                raise RuntimeError("broken")
            return super().export(spans)

    exporter = Raising(refusals=1)
    sender, end = started(exporter)
    end("a")
    assert not sender.force_flush()
    assert sender.force_flush()
    assert exporter.names() == ["a"]


def test_one_warning_however_often_it_fails(started, caplog):
    sender, end = started(Recording(refusals=8))
    with caplog.at_level(logging.INFO):
        for name in numbered(8):
            end(name)
            sender.force_flush()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_shutdown_sends_what_waits_and_takes_nothing_more(started):
    exporter = Recording()
    sender, end = started(exporter)
    end("a")
    sender.shutdown()
    end("b")
    sender.shutdown()
    assert exporter.names() == ["a"]


def test_shutdown_does_not_wait_for_a_receiver_that_hangs(started):
    gate = threading.Event()
    sender, end = started(Recording(gate=gate))
    end("a")
    began = time.perf_counter()
    sender.shutdown(timeout_s=0.2)
    assert time.perf_counter() - began < 1
    gate.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_fork_sends_its_own_spans_and_not_those_of_its_parent(started):
    read, write = os.pipe()

    class ToPipe(SpanExporter):
        def export(self, spans):
            os.write(write, "".join(f"{os.getpid()} {span.name}\n" for span in spans).encode())
            return SpanExportResult.SUCCESS

    sender, end = started(ToPipe())
    end("before")  # waits in the parent, whose thread is running
    child = os.fork()
    if child == 0:
        end("in child")
        flushed = sender.force_flush(5_000)
        os._exit(0 if flushed else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    end("after")
    assert sender.force_flush()
    os.close(write)
    sent = os.fdopen(read).read().splitlines()
    parent = os.getpid()
    assert sent == [f"{child} in child", f"{parent} before", f"{parent} after"]
