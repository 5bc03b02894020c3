"""What one model call tells: tokens, cost, DSPy's cache, and the time to the first chunk.

DSPy gives a callback the answer only. The rest comes from two settings that hold during the call, a
usage tracker and a stream of its own, and from the entry that DSPy adds to the model's history.
"""

import time
from collections.abc import Mapping
from typing import Any

import dspy
from dspy.utils.usage_tracker import UsageTracker

# How far back the entry of a call is searched: as many calls of one model may end in between.
HISTORY_SEARCHED = 256


class CallUsage(UsageTracker):
    """Hears of the usage of one call, and passes it on to the tracker that was there before.

    DSPy tells it of every answer that came from a model, even of one without usage, and of none
    that came from its cache.
    """

    def __init__(self, outer: Any) -> None:
        super().__init__()
        self._outer = outer
        self._entries: list[Any] = []

    def add_usage(self, lm: str, usage_entry: dict[str, Any]) -> None:
        # DSPy calls it while the agent waits for its answer: it keeps what it hears, and no more.
        self._entries.append(usage_entry)
        if self._outer is not None:
            self._outer.add_usage(lm, usage_entry)

    @property
    def was_answered(self) -> bool:
        return bool(self._entries)

    def told(self) -> list[Any]:
        """LiteLLM makes zeros of a usage that it did not get, but no prompt has no tokens."""
        return [
            entry for entry in self._entries if entry and _number(entry, ("total_tokens",)) != 0
        ]

    def sum(self, *places: str) -> int | None:
        """The sum over all answers of the first of the places that has a number."""
        found = [_number(entry, places) for entry in self.told()]
        known = [number for number in found if number is not None]
        return sum(known) if known else None


def _number(usage: Mapping[str, Any], places: tuple[str, ...]) -> int | None:
    for place in places:
        value: Any = usage
        for name in place.split("."):
            value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


class FirstChunkTimer:
    """Stands in for DSPy's stream of chunks during one call, to see when the first one passes.

    And whether somebody still reads it: a user who leaves makes the call fail.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.first_s: float | None = None
        self.lost_its_reader = False

    async def send(self, chunk: Any) -> Any:
        if self.first_s is None:
            self.first_s = time.perf_counter()
        try:
            return await self._stream.send(chunk)
        except BaseException:
            self.lost_its_reader = True
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class LmCall:
    def __init__(self, lm: Any, inputs: Mapping[str, Any]) -> None:
        self._lm = lm
        self._started_s = time.perf_counter()
        self._usage = CallUsage(dspy.settings.get("usage_tracker"))
        stream = dspy.settings.get("send_stream")
        self._first_chunk = None if stream is None else FirstChunkTimer(stream)
        # A call may turn the cache on or off for itself.
        self._is_cached = bool(_asked(inputs).get("cache", getattr(lm, "cache", False)))

    @property
    def settings(self) -> dict[str, Any]:
        """DSPy settings that must hold during the call."""
        stream = {} if self._first_chunk is None else {"send_stream": self._first_chunk}
        return {"usage_tracker": self._usage, **stream}

    @property
    def lost_its_reader(self) -> bool:
        """Whether the reader of the stream was gone before its end."""
        return self._first_chunk is not None and self._first_chunk.lost_its_reader

    def attributes_at_start(self) -> dict[str, Any]:
        provider, _, model = str(self._lm.model).rpartition("/")
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": model,
            "gen_ai.provider.name": provider or "unknown",
            "gen_ai.request.stream": self._first_chunk is not None,
            "dspy.lm.cache_enabled": self._is_cached,
        }
        settings = getattr(self._lm, "kwargs", None) or {}
        for key in ("temperature", "max_tokens"):
            if isinstance(settings.get(key), int | float):
                attributes[f"gen_ai.request.{key}"] = settings[key]
        return attributes

    def attributes_at_end(self, outputs: Any, has_failed: bool) -> dict[str, Any]:
        usage = self._usage
        is_hit = not has_failed and self._is_hit(outputs)
        entry = None if has_failed else self._history_entry(outputs)
        # The history keeps the cost that an answer from the cache had when it was made.
        recorded_cost = _told(entry, "cost")
        first_s = None if self._first_chunk is None else self._first_chunk.first_s
        attributes = {
            "dspy.lm.cache_hit": is_hit,
            "gen_ai.usage.input_tokens": usage.sum("prompt_tokens", "input_tokens"),
            "gen_ai.usage.output_tokens": usage.sum("completion_tokens", "output_tokens"),
            "gen_ai.usage.cache_read.input_tokens": usage.sum(
                "prompt_tokens_details.cached_tokens",
                "input_tokens_details.cached_tokens",
                "cache_read_input_tokens",
            ),
            "gen_ai.usage.cache_creation.input_tokens": usage.sum(
                "prompt_tokens_details.cache_creation_tokens", "cache_creation_input_tokens"
            ),
            "gen_ai.usage.reasoning.output_tokens": usage.sum(
                "completion_tokens_details.reasoning_tokens",
                "output_tokens_details.reasoning_tokens",
            ),
            "gen_ai.response.model": _told(entry, "response_model"),
            "gen_ai.response.time_to_first_chunk": (
                None if first_s is None else first_s - self._started_s
            ),
            "dspy.lm.cost_usd": recorded_cost if usage.told() else None,
            "dspy.lm.saved_cost_usd": recorded_cost if is_hit else None,
        }
        return {name: value for name, value in attributes.items() if value is not None}

    def _is_hit(self, outputs: Any) -> bool:
        told = getattr(outputs, "cache_hit", None)
        if isinstance(told, bool):
            return told
        return self._is_cached and not self._usage.was_answered

    def _history_entry(self, outputs: Any) -> Any:
        """The entry of this very call, whatever other threads do: it holds the same answer."""
        if outputs is None:
            return None
        for entry in reversed(self._lm.history[-HISTORY_SEARCHED:]):
            if _told(entry, "response") is outputs:
                return entry
            # Other entries than plain ones make their outputs anew for everyone who asks.
            if isinstance(entry, dict) and entry.get("outputs") is outputs:
                return entry
        return None


def _asked(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    kwargs = inputs.get("kwargs")
    return kwargs if isinstance(kwargs, dict) else {}


def _told(entry: Any, name: str) -> Any:
    if entry is None:
        return None
    return entry.get(name) if isinstance(entry, dict) else getattr(entry, name, None)
