"""Turns telemetry on and off: `instrument()` and `uninstrument()`."""

import atexit
import logging
import os
import threading
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider

from dspy_databricks_agents.callback import TelemetryCallback
from dspy_databricks_agents.registration import Registration
from dspy_databricks_agents.resource import resource_of
from dspy_databricks_agents.span_sender import (
    BATCH_SPANS_MAX,
    DELAY_S,
    FLUSH_MS,
    QUEUE_SPANS_MAX,
    SpanSender,
)
from dspy_databricks_agents.version import VERSION

logger = logging.getLogger("dspy_databricks_agents")

SCOPE = "dspy_databricks_agents"
TRACES_PATH = "/v1/traces"
DEFAULT_ENDPOINT = "http://localhost:4318"


class Instrumentation:
    """What `instrument()` returns. It holds the callback and what sends its spans."""

    def __init__(
        self,
        provider: trace.TracerProvider,
        sender: SpanSender | None,
        registration: Registration | None,
    ) -> None:
        self._provider = provider
        self._sender = sender
        self._registration = registration

    @property
    def dropped_spans(self) -> int:
        """Spans that were given up because they could not be sent in time; 0 with your provider."""
        return 0 if self._sender is None else self._sender.dropped_spans

    def force_flush(self, timeout_millis: int = FLUSH_MS) -> bool:
        """Sends what is waiting. False when it could not be sent in time."""
        if self._sender is not None:
            return self._sender.force_flush(timeout_millis)
        flush = getattr(self._provider, "force_flush", None)
        return True if flush is None else bool(flush(timeout_millis))

    def shutdown(self) -> None:
        """Takes the callback out of DSPy and sends what is waiting. May be called twice.

        A provider of your own goes on.
        """
        global _active  # noqa: PLW0603
        with _lock:
            if _active is self:
                _active = None
        if self._registration is not None:
            self._registration.remove()
            self._registration = None
        if self._sender is not None:
            self._sender.shutdown()
            atexit.unregister(self._sender.shutdown)


_active: Instrumentation | None = None
_lock = threading.Lock()


def instrument(
    endpoint: str | None = None,
    service_name: str | None = None,
    capture_content: bool = False,
    *,
    headers: Mapping[str, str] | None = None,
    tracer_provider: trace.TracerProvider | None = None,
) -> Instrumentation:
    """Reports every DSPy call from now on. A second call changes nothing and returns the first one.

    Args:
        endpoint: Base address of the monitor or OTLP receiver, such as `http://monitor:4318`.
            Without it `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `OTEL_EXPORTER_OTLP_ENDPOINT` count,
            as do all the other standard `OTEL_` variables. Spans are sent as OTLP over HTTP.
        service_name: Name of the agent. Without it `OTEL_SERVICE_NAME` counts, then the name of the
            Databricks app or serving endpoint.
        capture_content: Whether prompts, answers, tool arguments and messages of exceptions are
            recorded. They are not unless asked for.
        headers: HTTP headers of each request, such as `authorization`.
        tracer_provider: Where the spans go. Without it and without `endpoint`, the global provider
            of OpenTelemetry is used if the program has set one, else a provider of our own, which
            other instrumentations don't see.

    Returns:
        What turns it off again, and can wait until everything is sent.
    """
    global _active  # noqa: PLW0603
    with _lock:
        if _active is None:
            _active = _instrument(endpoint, service_name, capture_content, headers, tracer_provider)
        return _active


def uninstrument() -> None:
    """Undoes `instrument()`, and sends what is waiting."""
    if _active is not None:
        _active.shutdown()


def _instrument(
    endpoint: str | None,
    service_name: str | None,
    capture_content: bool,
    headers: Mapping[str, str] | None,
    tracer_provider: trace.TracerProvider | None,
) -> Instrumentation:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Instrumentation(trace.NoOpTracerProvider(), None, None)

    sender: SpanSender | None = None
    provider = tracer_provider or (None if endpoint else _global_provider())
    joins_other_spans = provider is not None
    if provider is None:
        provider = TracerProvider(
            resource=resource_of(os.environ, service_name), shutdown_on_exit=False
        )
        if os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() != "none":
            sender = _sender(endpoint, headers)
            provider.add_span_processor(sender)
            atexit.register(sender.shutdown)
    callback = TelemetryCallback(
        provider.get_tracer(SCOPE, VERSION),
        capture_content=capture_content,
        joins_other_spans=joins_other_spans,
    )
    return Instrumentation(provider, sender, Registration(callback))


def _global_provider() -> trace.TracerProvider | None:
    provider = trace.get_tracer_provider()
    return provider if isinstance(provider, TracerProvider) else None


def _sender(endpoint: str | None, headers: Mapping[str, str] | None) -> SpanSender:
    url = None if endpoint is None else _traces_url(endpoint)
    options: dict[str, Any] = {"endpoint": url}
    if headers is not None:
        options["headers"] = dict(headers)
    return SpanSender(
        lambda: OTLPSpanExporter(**options),
        target=_without_password(url or _configured_endpoint()),
        queue_spans_max=_number("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SPANS_MAX),
        batch_spans_max=_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SPANS_MAX),
        delay_s=_number("OTEL_BSP_SCHEDULE_DELAY", round(DELAY_S * 1000)) / 1000,
    )


def _traces_url(endpoint: str) -> str:
    base = endpoint.rstrip("/")
    return base if base.endswith(TRACES_PATH) else base + TRACES_PATH


def _configured_endpoint() -> str:
    traces = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return traces or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or DEFAULT_ENDPOINT


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if text.isdecimal() and int(text) > 0:
        return int(text)
    logger.warning("%s is not a positive whole number; %d is used", variable, default)
    return default
