"""What each model call tells: tokens, prompt cache, cost, DSPy's cache."""

import asyncio
import sys
import threading

import dspy
import pytest


def test_tokens_prompt_cache_and_cost_are_those_of_the_model(spans, stub):
    dspy.Predict("question -> answer")(question="why?")
    lm = spans.lm_call()
    assert lm["gen_ai.usage.input_tokens"] == stub.ledger.input_tokens
    assert lm["gen_ai.usage.output_tokens"] == stub.ledger.output_tokens
    assert lm["gen_ai.usage.cache_read.input_tokens"] == stub.ledger.cached_tokens > 0
    assert lm["dspy.lm.cost_usd"] > 0
    assert lm["dspy.lm.cache_hit"] is False
    assert lm["gen_ai.provider.name"] == "openai"
    assert lm["gen_ai.request.model"] == "gpt-4o-mini"
    assert lm["gen_ai.request.temperature"] == 0.2
    assert lm["gen_ai.request.max_tokens"] == 500
    assert lm["gen_ai.request.stream"] is False


def test_an_answer_from_the_cache_has_no_tokens_and_no_cost(spans, make_lm, stub):
    dspy.configure(lm=make_lm(cache=True))
    predict = dspy.Predict("question -> answer")
    predict(question="is this remembered?")
    cost = spans.lm_call()["dspy.lm.cost_usd"]
    spans.clear()
    predict(question="is this remembered?")
    assert stub.ledger.requests == 1
    lm = spans.lm_call()
    assert lm["dspy.lm.cache_hit"] is True
    assert "gen_ai.usage.input_tokens" not in lm
    assert "dspy.lm.cost_usd" not in lm
    assert lm["dspy.lm.saved_cost_usd"] == cost > 0


def test_a_call_may_turn_the_cache_off_for_itself(spans, make_lm, stub):
    lm = make_lm(cache=True)
    lm("remember me")
    lm("remember me", cache=False)
    assert stub.ledger.requests == 2
    hits = [span.attributes["dspy.lm.cache_hit"] for span in spans.of_kind("lm")]
    assert hits == [False, False]


def test_an_answer_without_usage_is_no_cache_hit(spans, make_lm, stub):
    stub.tells_usage = False
    dspy.configure(lm=make_lm(cache=True))
    dspy.Predict("question -> answer")(question="how much was that?")
    lm = spans.lm_call()
    assert lm["dspy.lm.cache_hit"] is False
    assert "gen_ai.usage.input_tokens" not in lm


def test_concurrent_calls_of_one_model_have_their_own_tokens(spans, stub):
    predict = dspy.Predict("question -> answer")
    questions = ["why? " * length for length in (1, 50, 100, 150)] * 3
    threads = [
        threading.Thread(target=predict, kwargs={"question": question}) for question in questions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls = spans.of_kind("lm")
    told = [call.attributes["gen_ai.usage.input_tokens"] for call in calls]
    assert sum(told) == stub.ledger.input_tokens
    assert len(set(told)) == 4
    assert all(call.attributes["dspy.lm.cost_usd"] > 0 for call in calls)


def test_dspys_own_usage_tracking_goes_on(spans, stub):
    dspy.configure(track_usage=True)
    prediction = dspy.ChainOfThought("question -> answer")(question="why?")
    (usage,) = prediction.get_lm_usage().values()
    assert usage["prompt_tokens"] == stub.ledger.input_tokens
    with dspy.track_usage() as tracker:
        dspy.Predict("question -> answer")(question="and this?")
    assert tracker.get_total_tokens()


def test_a_stream_has_the_tokens_that_were_delivered(spans, stub):
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    streamed = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=[listener])

    async def read():
        return [item async for item in streamed(question="why?")]

    asyncio.run(read())
    assert spans.lm_call()["gen_ai.usage.input_tokens"] == stub.ledger.input_tokens > 0


def test_calls_without_history_still_have_tokens(spans, stub):
    with dspy.context(disable_history=True):
        dspy.Predict("question -> answer")(question="why?")
    assert spans.lm_call()["gen_ai.usage.input_tokens"] == stub.ledger.input_tokens


@pytest.mark.parametrize("content", [False, True])
def test_prompts_and_answers_are_recorded_only_when_asked_for(make_lm, content):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from spans import Spans

    import dspy_databricks_agents

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    dspy_databricks_agents.instrument(tracer_provider=provider, capture_content=content)
    dspy.ChainOfThought("question -> answer")(question="the-secret-question")
    with pytest.raises(Exception, match="parse"):
        dspy.Predict("question -> answer")(question="#unparsable")
    text = Spans(exporter).text()
    assert ("the-secret-question" in text) is content
    assert ("in a few words" in text) is content
    assert ("cannot help with that" in text) is content
    assert "sk-secret" not in text
    assert "127.0.0.1" not in text or content


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs asyncio.timeout")
def test_a_cancelled_call_ends_its_spans(spans):
    async def give_up():
        async with asyncio.timeout(0.2):
            await dspy.Predict("question -> answer").acall(question="#hang")

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert [span.attributes["error.type"] for span in spans.of_kind("lm")] == ["CancelledError"]
    assert dspy.settings.get("_dspy_databricks_agents_call") is None
