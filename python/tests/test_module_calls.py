"""Which module was called, where it stands in its program, and what was called inside it."""

import asyncio
import threading

import dspy
import pytest

from dspy_databricks_agents import module_path


class Answer(dspy.Signature):
    """Answer the question."""

    context: list[str] = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Rag(dspy.Module):
    def __init__(self):
        super().__init__()
        self.retrieve = dspy.Retrieve(k=2)
        self.generate = dspy.ChainOfThought(Answer)

    def forward(self, question):
        return self.generate(context=self.retrieve(question).passages, question=question)

    async def aforward(self, question):
        context = self.retrieve(question).passages
        return await self.generate.acall(context=context, question=question)


class Passage(dict):
    @property
    def long_text(self):
        return self["long_text"]


def search(query, k, **_):
    return [Passage(long_text=f"passage {number}") for number in range(k)]


@pytest.fixture(autouse=True)
def _retrieval():
    dspy.configure(rm=search)


def test_a_program_with_its_retriever_adapter_and_model(spans):
    Rag()(question="why?")
    assert spans.tree() == [
        "Rag self",
        "  Retrieve self.retrieve",
        "  ChainOfThought self.generate",
        "    Predict self.generate.predict",
        "      chat gpt-4o-mini",
        "      ChatAdapter parse",
    ]
    kinds = [span.attributes["dspy.kind"] for span in spans.all()]
    assert kinds == ["module", "retriever", "module", "module", "lm", "adapter"]
    predict = spans.all()[3].attributes
    assert predict["dspy.signature"] == "context, question -> reasoning, answer"


def test_async_calls_have_the_same_tree(spans):
    asyncio.run(Rag().acall(question="why?"))
    assert spans.paths() == [
        "Rag self",
        "Rag self.retrieve",
        "Rag self.generate",
        "Rag self.generate.predict",
    ]
    assert len(spans.roots()) == 1


def test_modules_in_lists_and_dicts(spans):
    class Steps(dspy.Module):
        def __init__(self):
            super().__init__()
            self.steps = [dspy.Predict("a -> b"), (dspy.Predict("a -> b"),)]
            self.by_kind = {"order": {"main": dspy.ChainOfThought("a -> b")}}

        def forward(self, a):
            self.steps[0](a=a)
            self.steps[1][0](a=a)
            return self.by_kind["order"]["main"](a=a)

    Steps()(a="x")
    assert spans.paths() == [
        "Steps self",
        "Steps self.steps[0]",
        "Steps self.steps[1][0]",
        "Steps self.by_kind[order][main]",
        "Steps self.by_kind[order][main].predict",
    ]


def test_a_module_that_is_reached_twice_has_the_first_path(spans):
    class Twice(dspy.Module):
        def __init__(self):
            super().__init__()
            self.first = dspy.Predict("a -> b")
            self.second = self.first

        def forward(self, a):
            self.first(a=a)
            return self.second(a=a)

    Twice()(a="x")
    assert spans.paths() == ["Twice self", "Twice self.first", "Twice self.first"]


def test_a_module_made_inside_forward_is_called_by_its_class(spans):
    class Fresh(dspy.Module):
        def forward(self, a):
            return dspy.ChainOfThought("a -> b")(a=a)

    Fresh()(a="x")
    assert spans.paths() == ["Fresh self", "Fresh ChainOfThought", "Fresh ChainOfThought.predict"]


def test_a_module_that_is_exchanged_later_is_found(spans):
    program = Rag()
    program(question="why?")
    program.generate = dspy.Predict(Answer)
    spans.clear()
    program(question="why?")
    assert spans.paths()[-1] == "Rag self.generate"


def test_what_a_program_holds_besides_makes_its_calls_no_slower(spans, monkeypatch):
    class Reader(dspy.Module):
        def __init__(self):
            super().__init__()
            self.documents = [f"document {number}" for number in range(100_000)]
            self.by_id = dict(enumerate(self.documents))
            self.read = dspy.Predict("a -> b")

        def forward(self, a):
            dspy.Predict("a -> b")(a=a)
            return self.read(a=a)

    walked = []
    walk = module_path._walk

    def counting(program):
        parts, objects = walk(program)
        walked.append(objects)
        return parts, objects

    monkeypatch.setattr(module_path, "_walk", counting)
    program = Reader()
    for _ in range(25):
        program(a="x")
    assert spans.paths()[-3:] == ["Reader self", "Reader Predict", "Reader self.read"]
    # First for the release and for the paths, then once for some 20 modules that are in none.
    assert len(walked) <= 4
    assert max(walked) < 2_100


def test_a_program_inside_a_program_belongs_to_the_outer_one(spans):
    inner = Rag()

    class Outer(dspy.Module):
        def __init__(self):
            super().__init__()
            self.held = Rag()

        def forward(self, question):
            self.held(question=question)
            return inner(question=question)

    Outer()(question="why?")
    assert spans.paths() == [
        "Outer self",
        "Outer self.held",
        "Outer self.held.retrieve",
        "Outer self.held.generate",
        "Outer self.held.generate.predict",
        "Outer Rag",
        "Outer Rag.retrieve",
        "Outer Rag.generate",
        "Outer Rag.generate.predict",
    ]


def test_parallel_threads_stay_in_one_trace(spans):
    class Batch(dspy.Module):
        def __init__(self):
            super().__init__()
            self.rag = Rag()

        def forward(self, questions):
            pairs = [(self.rag, {"question": question}) for question in questions]
            return dspy.Parallel(num_threads=4, disable_progress_bar=True)(pairs)

    Batch()(questions=["a", "b", "c", "d"])
    (root,) = spans.roots()
    branches = [s for s in spans.all() if s.attributes.get("dspy.module.path") == "self.rag"]
    assert len(branches) == 4
    assert {branch.parent.span_id for branch in branches} == {root.context.span_id}
    # In each branch the calls hang below their own modules.
    by_id = {span.context.span_id: span for span in spans.all()}
    for lm in spans.of_kind("lm"):
        assert (
            by_id[lm.parent.span_id].attributes["dspy.module.path"] == "self.rag.generate.predict"
        )
    assert len({lm.parent.span_id for lm in spans.of_kind("lm")}) == 4


def test_programs_called_in_threads_of_their_own_do_not_mix(spans):
    program = Rag()
    barrier = threading.Barrier(6)

    def ask(number):
        barrier.wait()
        program(question=f"question {number}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    roots = spans.roots()
    assert len(roots) == 6
    for root in roots:
        trace = [s for s in spans.all() if s.context.trace_id == root.context.trace_id]
        assert len(trace) == 6


def test_concurrent_coroutines_do_not_mix(spans):
    async def ask_all():
        program = Rag()
        await asyncio.gather(*(program.acall(question=f"question {n}") for n in range(5)))

    asyncio.run(ask_all())
    assert len(spans.roots()) == 5
    assert len({span.context.trace_id for span in spans.all()}) == 5
    assert len(spans.all()) == 30


def test_work_that_outlives_its_request_is_a_request_of_its_own(spans):
    async def serve():
        later = asyncio.Event()

        class Starts(dspy.Module):
            async def aforward(self, question):
                async def afterwards():
                    await later.wait()
                    await Rag().acall(question=question)

                self.task = asyncio.create_task(afterwards())

        program = Starts()
        await program.acall(question="why?")
        later.set()
        await program.task

    asyncio.run(serve())
    assert [root.name for root in spans.roots()] == ["Starts self", "Rag self"]


def look_up(key: str) -> str:
    """Look something up."""
    return f"value of {key}"


def broken(key: str) -> str:
    """Always fails."""
    raise ConnectionError(f"no database for {key}")


def test_react_with_a_tool_and_the_pseudo_tool_finish(spans):
    dspy.ReAct("question -> answer", tools=[look_up])(question="use look_up")
    tools = [span.name for span in spans.of_kind("tool")]
    assert tools == ["execute_tool look_up", "execute_tool finish"]
    assert spans.paths() == [
        "ReAct self",
        "ReAct self.react",
        "ReAct self.react",
        "ReAct self.extract",
        "ReAct self.extract.predict",
    ]


def test_a_tool_error_that_react_swallows_stays_visible(spans):
    dspy.ReAct("question -> answer", tools=[broken])(question="use broken")
    assert spans.failures() == [("tool", "tool")]
    (tool,) = [s for s in spans.of_kind("tool") if s.name == "execute_tool broken"]
    assert tool.attributes["error.type"] == "ConnectionError"
    assert "no database" not in spans.text()


def test_a_react_loop_that_uses_up_its_steps_says_so(spans):
    dspy.ReAct("question -> answer", tools=[look_up], max_iters=2)(question="#endless")
    (root,) = spans.roots()
    assert root.attributes["dspy.error_class"] == "max_iterations"
    assert spans.failures() == []


def test_streams_tell_when_their_first_chunk_came(spans):
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    streamed = dspy.streamify(Rag(), stream_listeners=[listener])

    async def read():
        return [item async for item in streamed(question="why?")]

    items = asyncio.run(read())
    assert any(isinstance(item, dspy.streaming.StreamResponse) for item in items)
    assert len(spans.roots()) == 1
    lm = spans.lm_call()
    duration_s = (spans.of_kind("lm")[0].end_time - spans.of_kind("lm")[0].start_time) / 1e9
    assert lm["gen_ai.request.stream"] is True
    assert 0 < lm["gen_ai.response.time_to_first_chunk"] < duration_s


def test_long_histories_of_modules_are_not_walked(spans):
    program = Rag()
    program.generate.predict.history.extend({"messages": [{}] * 9} for _ in range(2_000))
    program.generate.predict.demos = [dspy.Example(question=str(n)) for n in range(2_000)]
    from dspy_databricks_agents.module_path import parts_of

    paths = [path for path, _ in parts_of(program)]
    assert paths == ["self", "self.retrieve", "self.generate", "self.generate.predict"]
