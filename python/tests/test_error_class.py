"""The class of each failure, with the exceptions that DSPy and its engines really raise."""

import asyncio
import contextlib

import dspy
import pytest

from dspy_databricks_agents.error_class import error_class_of

PREDICT = ("module", "lm")
CASES = [
    # What the prompt makes the model do, and the class of the failure on the model call.
    ("#429", "lm_provider"),
    ("#401", "lm_provider"),
    ("#500", "lm_provider"),
    ("#notjson", "lm_provider"),
    ("#context", "lm_context"),
    ("#hang", "timeout"),
]


@pytest.mark.parametrize("engine", ["auto", "litellm"])
@pytest.mark.parametrize(("word", "expected"), CASES)
def test_a_failure_of_the_model(spans, make_lm, engine, word, expected):
    with dspy.context(lm=make_lm(timeout=0.4, **engine_options(engine))), pytest.raises(Exception):  # noqa: B017, PT011
        dspy.Predict("question -> answer")(question=f"why? {word}")
    classes = {error_class for _, error_class in spans.failures()}
    assert classes == {expected}
    assert {kind for kind, _ in spans.failures()} == {"module", "lm"}


@pytest.mark.parametrize("engine", ["auto", "litellm"])
def test_a_model_that_is_not_there_is_no_timeout(spans, make_lm, engine):
    lm = make_lm(api_base="http://127.0.0.1:9/v1", timeout=0.4, **engine_options(engine))
    with dspy.context(lm=lm), pytest.raises(Exception):  # noqa: B017, PT011
        dspy.Predict("question -> answer")(question="why?")
    assert {error_class for _, error_class in spans.failures()} == {"lm_provider"}


def engine_options(engine):
    """DSPy before 3.4 has one engine only."""
    from importlib.metadata import version

    if tuple(map(int, version("dspy").split(".")[:2])) >= (3, 4):
        return {"engine": engine}
    return {}


def test_a_caller_that_goes_away_is_no_failure_of_the_model(spans):
    async def go_away():
        call = asyncio.create_task(dspy.Predict("question -> answer").acall(question="#hang"))
        await asyncio.sleep(0.2)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call

    asyncio.run(go_away())
    assert spans.failures() == [("lm", "client"), ("module", "client")]


def test_a_program_that_waits_no_longer_has_run_out_of_time(spans):
    class Impatient(dspy.Module):
        def __init__(self):
            super().__init__()
            self.answer = dspy.Predict("question -> answer")

        async def aforward(self, question):
            return await asyncio.wait_for(self.answer.acall(question=question), 0.2)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(Impatient().acall(question="#hang"))
    assert spans.failures() == [("lm", "client"), ("module", "client"), ("module", "timeout")]


def test_calls_that_are_given_up_since_another_failed_are_not_the_failure(spans):
    class Both(dspy.Module):
        def __init__(self):
            super().__init__()
            self.answer = dspy.Predict("question -> answer")

        async def aforward(self, question):
            calls = [asyncio.create_task(self.answer.acall(question=q)) for q in question]
            try:
                return await asyncio.gather(*calls)
            finally:
                for call in calls:
                    call.cancel()
                await asyncio.wait(calls)

    with pytest.raises(Exception):  # noqa: B017, PT011
        asyncio.run(Both().acall(question=["#hang", "#500"]))
    (root,) = spans.roots()
    assert root.attributes["dspy.error_class"] == "lm_provider"


@pytest.mark.parametrize("is_async", [True, False])
def test_a_user_who_leaves_a_stream_is_no_failure_of_the_model(spans, is_async):
    listener = dspy.streaming.StreamListener(signature_field_name="answer", allow_reuse=True)
    program = dspy.streamify(
        dspy.Predict("question -> answer"), stream_listeners=[listener], is_async_program=is_async
    )

    async def leave():
        began = asyncio.Event()

        async def read():
            async for _ in program(question="why?"):
                began.set()

        reader = asyncio.create_task(read())
        await began.wait()
        reader.cancel()  # as a web server does when the connection is gone
        await asyncio.wait([reader])

    asyncio.run(leave())
    classes = {error_class for _, error_class in spans.failures()}
    # A program in a thread may have got all of the answer before it notices.
    assert classes == {"client"} or (not is_async and not classes)


def test_a_program_in_a_thread_whose_reader_is_gone_with_its_event_loop():
    class RunFinishedError(RuntimeError):
        """As anyio raises it."""

    error = dspy.LMError("unexpected") if hasattr(dspy, "LMError") else RuntimeError("unexpected")
    error.__cause__ = RunFinishedError("the event loop has already finished")
    assert error_class_of("lm", None, error) == "client"


@pytest.mark.parametrize("kind", ["model", "tool"])
def test_a_process_that_is_told_to_end_says_nothing_of_its_model_or_tools(spans, kind):
    def stop(*_, **__):
        raise KeyboardInterrupt

    program = dspy.Tool(stop, name="stop")
    if kind == "model":
        program = dspy.Predict("question -> answer")
        program.lm = dspy.LM("openai/gpt-4o-mini")
        program.lm.forward = stop
    with pytest.raises(KeyboardInterrupt):
        program(**({"question": "why?"} if kind == "model" else {}))
    assert {error_class for _, error_class in spans.failures()} == {"unknown"}


def test_an_answer_that_no_adapter_can_read(spans):
    with pytest.raises(Exception):  # noqa: B017, PT011
        dspy.Predict("question -> answer")(question="#unparsable")
    # The first adapter, the second one, and the module; the model calls went well.
    *adapters, module = spans.failures()
    assert len(adapters) >= 2
    assert set(adapters) == {("adapter", "adapter_parse")}
    assert module == ("module", "adapter_parse")


def test_an_adapter_fallback_is_visible_though_the_call_succeeds(spans, stub):
    dspy.Predict("question -> answer")(question="#unparsable-once")
    assert spans.failures() == [("adapter", "adapter_parse")]
    assert spans.of_kind("adapter")[-1].name == "JSONAdapter parse"
    assert len(spans.of_kind("lm")) == stub.ledger.requests == 2


def test_a_retriever_that_fails_is_the_cause_for_all_its_callers(spans):
    def search(query, k, **_):
        raise OSError("index not reachable")

    class Rag(dspy.Module):
        def __init__(self):
            super().__init__()
            self.retrieve = dspy.Retrieve()

        def forward(self, question):
            return self.retrieve(question)

    with dspy.context(rm=search), pytest.raises(OSError, match="not reachable"):
        Rag()(question="why?")
    assert spans.failures() == [("retriever", "retriever"), ("module", "retriever")]


def test_a_tool_that_fails_is_the_cause_for_a_program_that_does_not_swallow_it(spans):
    def broken() -> str:
        raise ConnectionError("no database")

    class Uses(dspy.Module):
        def __init__(self):
            super().__init__()
            self.tool = dspy.Tool(broken)

        def forward(self):
            try:
                return self.tool()
            except ConnectionError as error:
                raise RuntimeError("could not look it up") from error

    with pytest.raises(RuntimeError):
        Uses()()
    assert spans.failures() == [("tool", "tool"), ("module", "tool")]


def test_a_failure_that_was_survived_does_not_explain_a_later_one(spans):
    class Survives(dspy.Module):
        def __init__(self):
            super().__init__()
            self.predict = dspy.Predict("question -> answer")

        def forward(self, question):
            with contextlib.suppress(Exception):
                self.predict(question=question)
            raise KeyError("a bug of the agent")

    with pytest.raises(KeyError):
        Survives()(question="#500")
    assert spans.failures() == [
        ("lm", "lm_provider"),
        ("module", "lm_provider"),
        ("module", "unknown"),
    ]


def test_a_dropped_stream_is_a_failure_of_the_model(spans):
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    streamed = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=[listener])

    async def read():
        return [item async for item in streamed(question="#drop")]

    with pytest.raises(BaseException):  # noqa: B017, PT011
        asyncio.run(read())
    assert spans.failures()[0] == ("lm", "lm_provider")


class ReadTimeout(Exception):
    """As httpx names it."""


class TimeoutException(Exception):
    """The base of it there."""


def raised_from(error, cause):
    try:
        raise error from cause
    except Exception as raised:
        return raised


@pytest.mark.parametrize(
    ("kind", "error", "expected"),
    [
        ("module", ValueError("x"), "unknown"),
        ("module", TimeoutError(), "timeout"),
        ("module", ConnectionError(), "unknown"),
        ("lm", ValueError("x"), "lm_provider"),
        ("lm", TimeoutError(), "timeout"),
        ("lm", raised_from(OSError("x"), TimeoutError()), "timeout"),
        ("lm", raised_from(OSError("timed out"), ConnectionError()), "lm_provider"),
        ("tool", TimeoutError(), "tool"),
        ("retriever", TimeoutError(), "retriever"),
        ("adapter", ValueError("x"), "unknown"),
        (
            "module",
            raised_from(RuntimeError("x"), dspy.ContextWindowExceededError(model="m")),
            "lm_context",
        ),
    ],
)
def test_exceptions_of_others(kind, error, expected):
    assert error_class_of(kind, None, error) == expected


def test_a_program_of_thought_that_gives_up():
    program = dspy.ProgramOfThought.__new__(dspy.ProgramOfThought)
    error = RuntimeError("Max hops reached. Failed to run ProgramOfThought: x")
    assert error_class_of("module", program, error) == "max_iterations"


def test_causes_in_a_circle_end():
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    assert error_class_of("module", None, one) == "unknown"
