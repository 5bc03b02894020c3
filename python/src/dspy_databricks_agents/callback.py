"""The DSPy callback: a span for each module, tool, retriever, model call and reading of an answer.

Nothing here raises into the agent. A step that fails is reported once, and the call goes on
without it.
"""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import dspy
from dspy.utils.callback import BaseCallback
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from dspy_databricks_agents.content import content_of, message_of
from dspy_databricks_agents.error_class import (
    CLIENT,
    MAX_ITERATIONS,
    error_class_of,
    passes_on,
    stopped_at_iterations_max,
)
from dspy_databricks_agents.lm_call import LmCall
from dspy_databricks_agents.module_path import ModulePaths
from dspy_databricks_agents.open_call import OpenCall, current_call
from dspy_databricks_agents.release import Releases

logger = logging.getLogger("dspy_databricks_agents")

Method = TypeVar("Method", bound=Callable[..., None])


def _guarded(method: Method) -> Method:
    @functools.wraps(method)
    def call(self: "TelemetryCallback", *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as fault:
            self._report(fault)

    return call  # type: ignore[return-value]


class TelemetryCallback(BaseCallback):
    def __init__(
        self, tracer: Tracer, *, capture_content: bool = False, joins_other_spans: bool = False
    ) -> None:
        """
        Args:
            capture_content: Whether prompts, answers and messages of exceptions are recorded.
            joins_other_spans: Whether spans of other tracers are parents and children of ours, as
                they should be where they go to the same place.
        """
        self._tracer = tracer
        self._capture_content = capture_content
        self._joins_other_spans = joins_other_spans
        self._paths = ModulePaths()
        self._releases = Releases()
        self._open: dict[str, OpenCall] = {}
        self._has_reported = False

    # ─── What DSPy calls ────────────────────────────────────────────────────

    @_guarded
    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        # A request that has ended is no caller, even if this was started by it.
        callers = (dspy.settings.get("caller_modules") or []) if current_call() else []
        place = self._paths.locate(instance, callers)
        name = type(instance).__name__
        attributes = {
            "dspy.module.class": name,
            "dspy.module.path": place.path,
            "dspy.program.class": type(place.program).__name__,
        }
        signature = getattr(instance, "signature", None)
        if signature is not None:
            attributes["dspy.signature"] = signature.signature
            attributes["dspy.signature.name"] = signature.__name__
        kind = "retriever" if isinstance(instance, dspy.Retrieve) else "module"
        self._start(call_id, kind, instance, f"{name} {place.path}", attributes, inputs)

    @_guarded
    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        lm = LmCall(instance, inputs)
        attributes = lm.attributes_at_start()
        name = f"chat {attributes['gen_ai.request.model']}"
        self._start(call_id, "lm", instance, name, attributes, inputs, lm)

    @_guarded
    def on_tool_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": instance.name,
        }
        self._start(call_id, "tool", instance, f"execute_tool {instance.name}", attributes, inputs)

    # Formatting has no span: it takes no time, and fails only with its module.
    @_guarded
    def on_adapter_parse_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        name = type(instance).__name__
        attributes = {"dspy.adapter.class": name, "dspy.adapter.step": "parse"}
        self._start(call_id, "adapter", instance, f"{name} parse", attributes, inputs)

    @_guarded
    def on_module_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        call = self._open.pop(call_id, None)
        if call is None:
            return
        try:
            self._describe_end(call, outputs, exception)
        finally:
            call.leave()

    on_lm_end = on_module_end
    on_tool_end = on_module_end
    on_adapter_parse_end = on_module_end

    # ─── One call ───────────────────────────────────────────────────────────

    def _start(
        self,
        call_id: str,
        kind: str,
        instance: Any,
        name: str,
        attributes: Mapping[str, Any],
        inputs: Mapping[str, Any],
        lm: LmCall | None = None,
    ) -> None:
        parent = current_call()
        span = self._tracer.start_span(
            name,
            context=self._parent_context(parent),
            kind=SpanKind.CLIENT if lm else SpanKind.INTERNAL,
            attributes={"dspy.kind": kind, **attributes},
        )
        call = OpenCall(kind, instance, span, parent, lm, parent.release if parent else None)
        try:
            call.enter(lm.settings if lm else {}, self._joins_other_spans)
        except Exception:
            call.leave()
            raise
        self._open[call_id] = call
        if kind == "module":
            self._tell_release(call)
        if self._capture_content:
            span.set_attribute("input.value", content_of(inputs))

    def _parent_context(self, parent: OpenCall | None) -> Any:
        """`None` is the current context of OpenTelemetry."""
        if self._joins_other_spans and _goes_on(trace.get_current_span()):
            return None
        return trace.set_span_in_context(parent.span if parent else trace.INVALID_SPAN)

    def _tell_release(self, call: OpenCall) -> None:
        if call.parent is None:
            call.release = self._releases.of(call.instance, dspy.settings.get("lm"))
            call.span.set_attribute("dspy.release", call.release.hash)
        predictor = call.release and call.release.predictors.get(id(call.instance))
        if predictor:
            call.span.set_attribute("dspy.predictor.hash", predictor)

    def _describe_end(self, call: OpenCall, outputs: Any, exception: BaseException | None) -> None:
        span = call.span
        if exception is not None:
            # First, so that a failure is one whatever else goes wrong.
            message = message_of(exception) if self._capture_content else None
            span.set_status(Status(StatusCode.ERROR, message or type(exception).__name__))
            span.set_attribute("error.type", type(exception).__name__)
            span.set_attribute("dspy.error_class", _failure_class(call, exception))
        elif stopped_at_iterations_max(call.instance, outputs):
            span.set_attribute("error.type", "MaxIterations")
            span.set_attribute("dspy.error_class", MAX_ITERATIONS)
        if call.lm is not None:
            span.set_attributes(call.lm.attributes_at_end(outputs, exception is not None))
        if self._capture_content and exception is None:
            span.set_attribute("output.value", content_of(outputs))

    def _report(self, fault: Exception) -> None:
        if self._has_reported:
            return
        self._has_reported = True
        logger.warning(
            "Telemetry of a DSPy call is incomplete (%s). The agent is not affected;"
            " this is said once.",
            type(fault).__name__,
            exc_info=logger.isEnabledFor(logging.DEBUG),
        )


def _goes_on(span: Span) -> bool:
    return span.get_span_context().is_valid and getattr(span, "end_time", None) is None


def _failure_class(call: OpenCall, exception: BaseException) -> str:
    """One failure passes through all its callers: its class is that of the deepest call."""
    below = call.failure
    if below is not None and passes_on(exception, below):
        failure = below
    elif call.lm is not None and call.lm.lost_its_reader:
        failure = (exception, CLIENT)
    else:
        failure = (exception, error_class_of(call.kind, call.instance, exception))
    if call.parent is not None:
        call.parent.failure = failure
    return failure[1]
