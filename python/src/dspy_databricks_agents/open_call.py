"""A call that has begun: its span, and the DSPy settings that hold until it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dspy
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span

from dspy_databricks_agents.lm_call import LmCall
from dspy_databricks_agents.release import Release

# Context variables do not reach the threads of dspy.Parallel, but DSPy's settings do.
SETTING = "_dspy_databricks_agents_call"


@dataclass(slots=True)
class OpenCall:
    kind: str
    instance: Any
    span: Span
    parent: "OpenCall | None" = None
    lm: LmCall | None = None
    # The release of the program that is running.
    release: Release | None = None
    has_ended: bool = False
    # The deepest failure below that has come up so far, and its class.
    failure: tuple[BaseException, str] | None = None
    _scope: Any = field(default=None, init=False)
    _token: Any = field(default=None, init=False)

    def enter(self, settings: Mapping[str, Any], is_current: bool) -> None:
        """From here on calls belong to this one; with `is_current`, those of other tracers too."""
        scope = dspy.context(**{SETTING: self}, **settings)
        scope.__enter__()
        self._scope = scope
        if is_current:
            self._token = otel_context.attach(trace.set_span_in_context(self.span))

    def leave(self) -> None:
        self.has_ended = True
        try:
            if self._token is not None:
                otel_context.detach(self._token)
        finally:
            try:
                if self._scope is not None:
                    self._scope.__exit__(None, None, None)
            finally:
                self._token = self._scope = None
                self.span.end()


def current_call() -> OpenCall | None:
    """The call that is running around this one. One that has ended was another request."""
    call = dspy.settings.get(SETTING)
    return call if isinstance(call, OpenCall) and not call.has_ended else None
