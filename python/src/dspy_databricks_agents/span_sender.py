"""Sends finished spans in batches, from a thread of its own, and is no burden when nobody listens.

OpenTelemetry's batch processor does nearly the same. It logs every failed attempt and every dropped
span, though, and keeps the process from exiting while it tries; an agent must not notice that its
monitor is away.
"""

import logging
import multiprocessing.util
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
    attach,
    detach,
    set_value,
)
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

logger = logging.getLogger("dspy_databricks_agents")

QUEUE_SPANS_MAX = 8_192
BATCH_SPANS_MAX = 512
DELAY_S = 1.0
# After a failure the pause doubles up to this, and the spans wait in the queue.
PAUSE_MAX_S = 30.0
# A batch that is refused for what is in it must not stand in the way of the rest for ever.
ATTEMPTS_MAX = 10
# How long the process waits at its end for the last spans to be sent.
SHUTDOWN_S = 2.0
FLUSH_MS = 10_000
# After what the worker does at its end itself.
CHILD_EXIT_PRIORITY = -100

# The exporters tell of each failed attempt; the one warning below says enough.
EXPORTER_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.common.http",
)


class SpanSender(SpanProcessor):
    def __init__(
        self,
        make_exporter: Callable[[], SpanExporter],
        *,
        target: str = "the monitor",
        queue_spans_max: int = QUEUE_SPANS_MAX,
        batch_spans_max: int = BATCH_SPANS_MAX,
        delay_s: float = DELAY_S,
    ) -> None:
        """
        Args:
            make_exporter: Called before the first batch, and again in each child of a fork, which
                must not share a connection with its parent.
            queue_spans_max: Spans that wait at most. Beyond it the oldest are dropped.
        """
        self._make_exporter = make_exporter
        self._target = target
        self._queue_spans_max = queue_spans_max
        self._batch_spans_max = min(batch_spans_max, queue_spans_max)
        self._delay_s = delay_s
        self._has_warned = False
        self._begin()
        if hasattr(os, "register_at_fork"):
            begin = weakref.WeakMethod(self._begin)
            os.register_at_fork(after_in_child=lambda: (method := begin()) and method())
        multiprocessing.util.register_after_fork(self, SpanSender._end_with_child)

    def _begin(self) -> None:
        """Keeps nothing of a parent process, which sends its spans itself."""
        self.dropped_spans = 0
        self._queue: deque[ReadableSpan] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._exporter: SpanExporter | None = None
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._flushes: deque[threading.Event] = deque()
        self._failures = 0
        self._is_shut_down = False

    def _end_with_child(self) -> None:
        """A forked worker of `multiprocessing` ends without what is registered with `atexit`."""
        multiprocessing.util.Finalize(None, self.shutdown, exitpriority=CHILD_EXIT_PRIORITY)

    # ─── Called by the agent's threads: never waits, never raises ───────────

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        if self._is_shut_down or not span.context or not span.context.trace_flags.sampled:
            return
        while len(self._queue) >= self._queue_spans_max:
            self._drop_oldest()
        self._queue.append(span)
        if self._thread is None:
            self._start_thread()
        if len(self._queue) >= self._batch_spans_max:
            self._wake.set()

    def _drop_oldest(self) -> None:
        try:
            self._queue.popleft()
        except IndexError:  # the sender was faster
            return
        self.dropped_spans += 1

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="dspy-telemetry", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the process is ending, or may have no more threads
                return
            self._thread = thread

    def force_flush(self, timeout_millis: int = FLUSH_MS) -> bool:
        """Sends what is waiting. False when it could not be sent in time."""
        if self._thread is None:
            return not self._queue
        done = threading.Event()
        self._flushes.append(done)
        self._hurry.set()
        self._wake.set()
        return done.wait(timeout_millis / 1000) and not self._queue

    def shutdown(self, timeout_s: float = SHUTDOWN_S) -> None:
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self._hurry.set()
        self._wake.set()
        # Where nobody listened a moment ago, nothing is gained by waiting.
        if self._thread is not None and not self._failures:
            self._thread.join(timeout_s)
        if self._exporter is not None:
            with _silently():
                self._exporter.shutdown()

    # ─── The sending thread ─────────────────────────────────────────────────

    def _run(self) -> None:
        with _silently():
            while True:
                is_last = self._is_shut_down
                if not is_last:
                    self._pause()
                flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
                try:
                    self._send_all()
                finally:
                    for done in flushes:
                        done.set()
                if is_last:
                    return

    def _pause(self) -> None:
        if self._failures:
            # A full queue is no reason to hurry while nobody listens.
            self._hurry.wait(min(PAUSE_MAX_S, self._delay_s * 2**self._failures))
        else:
            self._wake.wait(self._delay_s)
        self._wake.clear()
        self._hurry.clear()

    def _send_all(self) -> None:
        while self._queue:
            batch = self._take_batch()
            if self._export(batch):
                if self._failures:
                    logger.info("DSPy telemetry is sent to %s again", self._target)
                self._failures = 0
                continue
            self._failures += 1
            if self._failures % ATTEMPTS_MAX == 0:
                self.dropped_spans += len(batch)
            else:
                self._put_back(batch)
            self._warn_once()
            return

    def _take_batch(self) -> list[ReadableSpan]:
        batch: list[ReadableSpan] = []
        try:
            while len(batch) < self._batch_spans_max:
                batch.append(self._queue.popleft())
        except IndexError:
            pass
        return batch

    def _put_back(self, batch: list[ReadableSpan]) -> None:
        room = max(0, self._queue_spans_max - len(self._queue))
        kept = batch[len(batch) - room :] if room < len(batch) else batch
        self.dropped_spans += len(batch) - len(kept)
        self._queue.extendleft(reversed(kept))

    def _export(self, batch: list[ReadableSpan]) -> bool:
        # Otherwise an instrumented HTTP client would make spans of the sending of spans.
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            if self._exporter is None:
                self._exporter = self._make_exporter()
            return self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:
            logger.debug("sending DSPy telemetry failed", exc_info=True)
            return False
        finally:
            detach(token)

    def _warn_once(self) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        logger.warning(
            "DSPy telemetry cannot be sent to %s. The agent is not affected; sending is tried again"
            " and up to %d spans wait meanwhile. This is said once.",
            self._target,
            self._queue_spans_max,
        )


_silent = threading.local()


class _silently:
    """Drops what the exporters log on this thread, and on no other."""

    def __enter__(self) -> None:
        for name in EXPORTER_LOGGERS:
            log = logging.getLogger(name)
            if _is_loud not in log.filters:
                log.addFilter(_is_loud)
        _silent.depth = getattr(_silent, "depth", 0) + 1

    def __exit__(self, *_: object) -> None:
        _silent.depth -= 1


def _is_loud(_record: logging.LogRecord) -> bool:
    return not getattr(_silent, "depth", 0)
