"""Reads what was exported, as a tree of short lines."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode


class Spans:
    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def of_kind(self, kind: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.attributes["dspy.kind"] == kind]

    def lm_call(self) -> dict[str, Any]:
        (span,) = self.of_kind("lm")
        return dict(span.attributes)

    def roots(self) -> list[ReadableSpan]:
        return [span for span in self.all() if span.parent is None]

    def paths(self) -> list[str]:
        """`RagQA self.generate` for each module call, in the order in which they began."""
        kinds = ("module", "retriever")
        modules = [span for span in self.all() if span.attributes["dspy.kind"] in kinds]
        return [
            f"{span.attributes['dspy.program.class']} {span.attributes['dspy.module.path']}"
            for span in modules
        ]

    def tree(self) -> list[str]:
        """One line for each span, indented by its depth; `!` marks a failure, with its class."""
        lines = []

        def add(span: ReadableSpan, depth: int) -> None:
            failed = span.status.status_code is StatusCode.ERROR
            mark = f" ! {span.attributes.get('dspy.error_class')}" if failed else ""
            lines.append("  " * depth + span.name + mark)
            for child in self.all():
                if child.parent is not None and child.parent.span_id == span.context.span_id:
                    add(child, depth + 1)

        for root in self.roots():
            add(root, 0)
        return lines

    def failures(self) -> list[tuple[str, str]]:
        """Kind and class of each failed span, the deepest first."""
        failed = [s for s in self.all() if s.status.status_code is StatusCode.ERROR]
        return [
            (s.attributes["dspy.kind"], s.attributes["dspy.error_class"]) for s in reversed(failed)
        ]

    def text(self) -> str:
        """Everything that would be sent."""
        return "\n".join(span.to_json() for span in self.all())

    def clear(self) -> None:
        self._exporter.clear()
