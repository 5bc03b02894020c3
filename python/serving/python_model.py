"""Serves a DSPy program as a ResponsesAgent of MLflow. `dspy-databricks deploy` adds it to models.

`agent.json` beside it says which module holds `program` and which language model it uses.
Everything that a person can get wrong is said while the model is loaded, where Databricks shows it
in the build and service logs.
"""

import importlib
import inspect
import json
import logging
import os
import uuid
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

# LiteLLM would ask a server on the internet for prices at its first call, and wait for it.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import dspy
import mlflow
from mlflow.pyfunc import ResponsesAgent
from mlflow.types.responses import (
    ResponsesAgentRequest,
    ResponsesAgentResponse,
    ResponsesAgentStreamEvent,
)

logger = logging.getLogger("dspy_databricks_agents")

# Of a prediction's fields, the text that the caller reads. The first that is there counts.
ANSWER_FIELDS = ("answer", "response", "output")
# They are for the program, not for its caller, and may hold what tools returned.
INNER_FIELDS = ("trajectory", "reasoning")
# The input that gets earlier messages, where a program has one.
HISTORY_INPUT = "history"


class DspyAgent(ResponsesAgent):
    """`predict_stream` tells the answer as it is written, where DSPy can stream the program."""

    def load_context(self, context: Any) -> None:
        settings = json.loads(Path(context.artifacts["agent"]).read_text(encoding="utf-8"))
        _report_telemetry()
        self.program = _load_program(settings["module"])
        if "program" in context.artifacts:
            self.program.load(context.artifacts["program"])
        if settings["lm"]:
            # After the import, so that agent.yaml counts whatever the module configured.
            dspy.configure(lm=dspy.LM(**settings["lm"]))

    def predict(self, request: ResponsesAgentRequest) -> ResponsesAgentResponse:
        with dspy.context(track_usage=True):
            prediction = self.program(**_inputs_of(self.program, request))
        return _response_of(prediction)

    def predict_stream(
        self, request: ResponsesAgentRequest
    ) -> Generator[ResponsesAgentStreamEvent, None, None]:
        inputs = _inputs_of(self.program, request)
        item_id = _new_id("msg")
        told = ""
        prediction: Any = None
        for part in self._parts(inputs):
            if isinstance(part, dspy.streaming.StreamResponse):
                told += part.chunk
                yield ResponsesAgentStreamEvent(**self.create_text_delta(part.chunk, item_id))
            elif not isinstance(part, dspy.streaming.StatusMessage):
                prediction = part
        response = _response_of(prediction, item_id)
        text = response.output[0].content[0]["text"]
        if not told:  # from DSPy's cache, or of a program that can't be streamed
            yield ResponsesAgentStreamEvent(**self.create_text_delta(text, item_id))
        yield ResponsesAgentStreamEvent(
            type="response.output_item.done",
            item=response.output[0].model_dump(exclude_none=True),
            custom_outputs=response.custom_outputs,
        )
        yield ResponsesAgentStreamEvent(
            type="response.completed", response=response.model_dump(exclude_none=True)
        )

    def _parts(self, inputs: Mapping[str, Any]) -> Iterable[Any]:
        field = _streamed_field(self.program)
        with dspy.context(track_usage=True):
            if field is None:
                yield self.program(**inputs)
                return
            listener = dspy.streaming.StreamListener(signature_field_name=field, allow_reuse=True)
            streamed = dspy.streamify(
                self.program, stream_listeners=[listener], async_streaming=False
            )
            yield from streamed(**inputs)


def _report_telemetry() -> None:
    """The agent answers whether or not it can be watched."""
    try:
        import dspy_databricks_agents

        dspy_databricks_agents.instrument()
    except Exception:
        logger.warning("the agent reports no telemetry", exc_info=True)


def _load_program(module_name: str) -> dspy.Module:
    module = importlib.import_module(module_name)
    if not hasattr(module, "program"):
        raise AttributeError(
            f"{module_name}.py assigns nothing to `program`."
            " End it with `program = MyAgent()`, a dspy.Module."
        )
    program = module.program
    if not isinstance(program, dspy.Module):
        raise TypeError(
            f"`program` in {module_name}.py is a {type(program).__name__}, not a dspy.Module."
            " Assign an instance, such as `program = MyAgent()`."
        )
    return program


# ─── From a request to the program's inputs ─────────────────────────────────


def _inputs_of(program: dspy.Module, request: ResponsesAgentRequest) -> dict[str, Any]:
    """The last message is the input that no other is; `custom_inputs` are those that they name."""
    messages = [message.model_dump() for message in request.input]
    said = [(message.get("role"), _text_of(message)) for message in messages]
    if not said or said[-1][0] != "user":
        raise ValueError("the last message of `input` must be one of the role `user`")
    names, required = _input_names(program)
    given = dict(request.custom_inputs or {})
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(
            f"custom_inputs names {', '.join(unknown)}; the program takes {', '.join(names)}"
        )
    open_names = [name for name in names if name not in given and name != HISTORY_INPUT]
    open_required = [name for name in open_names if name in required] or open_names[:1]
    if not open_required:
        return given
    question, *others = open_required
    if others:
        raise ValueError(
            f"the program needs {', '.join(open_required)}; the message is `{question}`:"
            f" send the others in custom_inputs"
        )
    if HISTORY_INPUT in names and HISTORY_INPUT not in given:
        given[HISTORY_INPUT] = dspy.History(messages=_turns(said[:-1], question, program))
    return {**given, question: said[-1][1]}


def _input_names(program: dspy.Module) -> tuple[list[str], list[str]]:
    """The names of all inputs, and those without a default."""
    # Of the class: DSPy warns of whoever takes it from the instance.
    _self, *parameters = inspect.signature(type(program).forward).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if named or not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return [p.name for p in named], [p.name for p in named if p.default is p.empty]
    # A module of DSPy's own takes what its signature names.
    signature = getattr(program, "signature", None)
    if signature is None:
        signature = program.predictors()[0].signature
    names = list(signature.input_fields)
    return names, names


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [] if isinstance(part, Mapping))


def _turns(
    said: list[tuple[Any, str]], question: str, program: dspy.Module
) -> list[dict[str, str]]:
    """Each answer with the question before it, as `dspy.History` has them."""
    answer = _streamed_field(program) or ANSWER_FIELDS[0]
    turns: list[dict[str, str]] = []
    asked: str | None = None
    for role, text in said:
        if role == "user":
            asked = text
        elif role == "assistant" and asked is not None:
            turns.append({question: asked, answer: text})
            asked = None
    return turns


# ─── From a prediction to a response ────────────────────────────────────────


def _response_of(prediction: Any, item_id: str | None = None) -> ResponsesAgentResponse:
    fields = prediction.toDict() if isinstance(prediction, dspy.Prediction) else {}
    name = _answer_field(list(fields))
    text = prediction if name is None else fields[name]
    others = {
        field: value
        for field, value in fields.items()
        if field != name and field not in INNER_FIELDS
    }
    response = {
        "id": _new_id("resp"),
        "output": [
            ResponsesAgent.create_text_output_item(
                text if isinstance(text, str) else _json(text), item_id or _new_id("msg")
            )
        ],
        "custom_outputs": json.loads(_json(others)) if others else None,
        "usage": _usage_of(prediction),
    }
    return ResponsesAgentResponse(**response)


def _answer_field(names: list[str]) -> str | None:
    told = [name for name in names if name not in INNER_FIELDS]
    return next((name for name in ANSWER_FIELDS if name in told), told[0] if told else None)


def _streamed_field(program: dspy.Module) -> str | None:
    """The answer's field, where one predictor writes it: DSPy can't stream what two write."""
    for name in ANSWER_FIELDS:
        writers = [
            predictor
            for predictor in program.predictors()
            if name in predictor.signature.output_fields
        ]
        if len(writers) == 1 and writers[0].signature.output_fields[name].annotation is str:
            return name
        if writers:
            return None
    return None


def _usage_of(prediction: Any) -> dict[str, Any] | None:
    """Of all models that were called; nothing where DSPy does not say, as for its cache."""
    get_usage = getattr(prediction, "get_lm_usage", None)
    by_model = (get_usage() if get_usage else None) or {}
    if not by_model:
        return None

    def total(*names: str) -> int:
        return sum(_count(usage, *names) for usage in by_model.values())

    return {
        "input_tokens": total("prompt_tokens"),
        "input_tokens_details": {"cached_tokens": total("prompt_tokens_details", "cached_tokens")},
        "output_tokens": total("completion_tokens"),
        "output_tokens_details": {
            "reasoning_tokens": total("completion_tokens_details", "reasoning_tokens")
        },
        "total_tokens": total("prompt_tokens") + total("completion_tokens"),
    }


def _count(usage: Any, *names: str) -> int:
    for name in names:
        usage = usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)
    return usage if isinstance(usage, int) else 0


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "toDict"):
        return value.toDict()
    return value.model_dump() if hasattr(value, "model_dump") else str(value)


def _new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


mlflow.models.set_model(DspyAgent())
