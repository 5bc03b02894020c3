"""The class of a failure: who has to act. It is decided here, where the exception is at hand.

DSPy raises one and the same exception for a model that answers too late and for one that is not
there; only the cause of it, the exception of the HTTP client, tells them apart.
"""

import asyncio
from collections.abc import Iterator

import dspy

CLIENT = "client"
TIMEOUT = "timeout"
LM_CONTEXT = "lm_context"
LM_PROVIDER = "lm_provider"
ADAPTER_PARSE = "adapter_parse"
TOOL = "tool"
RETRIEVER = "retriever"
MAX_ITERATIONS = "max_iterations"
UNKNOWN = "unknown"

CAUSES_MAX = 16

# The caller gave up waiting or went away.
GIVEN_UP = (asyncio.CancelledError, GeneratorExit)
# The process was told to end, by Ctrl+C or by what a server makes of a signal.
ENDED = (KeyboardInterrupt, SystemExit)
# Raised by what runs in a thread for a stream whose reader's event loop is over.
READER_IS_GONE_NAMES = frozenset({"RunFinishedError"})

# Names, since the engines are not always installed, and have classes of their own for one thing.
TIMEOUT_NAMES = frozenset(
    {
        "TimeoutError",
        "Timeout",
        "TimeoutException",
        "APITimeoutError",
        "LMTimeoutError",
        "ReadTimeoutError",
        "ConnectTimeoutError",
    }
)
CONTEXT_NAMES = frozenset(
    {"ContextWindowExceededError", "ContextLengthError", "ContextOverflowError"}
)
PARSE_NAMES = frozenset({"AdapterParseError"})
PROVIDER_NAMES = frozenset(
    {"LMError", "LM15Error", "OpenAIError", "APIError", "APIConnectionError"}
)


def error_class_of(kind: str, instance: object, exception: BaseException) -> str:
    """`kind` is that of the deepest call that failed: a module, lm, adapter, tool or retriever."""
    if isinstance(exception, GIVEN_UP):
        return CLIENT
    if isinstance(exception, ENDED):
        return UNKNOWN
    if kind in (TOOL, RETRIEVER):
        return kind
    own = _names(exception)
    names = frozenset[str]().union(*map(_names, _causes(exception)))
    error_class = UNKNOWN
    if names & READER_IS_GONE_NAMES:
        error_class = CLIENT
    elif own & PARSE_NAMES:
        error_class = ADAPTER_PARSE
    elif names & CONTEXT_NAMES:
        error_class = LM_CONTEXT
    elif kind == "lm" or names & PROVIDER_NAMES:
        error_class = TIMEOUT if names & TIMEOUT_NAMES else LM_PROVIDER
    elif own & TIMEOUT_NAMES:
        error_class = TIMEOUT
    elif _ran_out_of_iterations(instance, exception):
        error_class = MAX_ITERATIONS
    return error_class


def _names(exception: BaseException) -> frozenset[str]:
    return frozenset(base.__name__ for base in type(exception).__mro__)


def _causes(exception: BaseException) -> Iterator[BaseException]:
    """The exception, and what it was raised from."""
    seen: list[BaseException] = []
    queue = [exception]
    while queue and len(seen) < CAUSES_MAX:
        error = queue.pop(0)
        if any(error is other for other in seen):
            continue
        seen.append(error)
        yield error
        if error.__cause__ is not None:
            queue.append(error.__cause__)
        elif error.__context__ is not None and not error.__suppress_context__:
            queue.append(error.__context__)
        # An exception group, as streaming raises it.
        queue.extend(getattr(error, "exceptions", ()))


def passes_on(exception: BaseException, failure: tuple[BaseException, str]) -> bool:
    """Whether the exception of a call is the failure of a call in it.

    Who gave up a call may have done so since the time was over, or since another call failed:
    then that is the failure.
    """
    origin, error_class = failure
    if error_class == CLIENT and isinstance(origin, GIVEN_UP):
        return isinstance(exception, GIVEN_UP)
    return is_raised_from(exception, origin)


def is_raised_from(exception: BaseException, origin: BaseException) -> bool:
    return any(error is origin for error in _causes(exception))


def _ran_out_of_iterations(instance: object, exception: BaseException) -> bool:
    """The loops of DSPy that give up with an exception have none of their own for it."""
    return (
        isinstance(instance, dspy.ProgramOfThought)
        and isinstance(exception, RuntimeError)
        and str(exception).startswith("Max hops reached")
    )


def stopped_at_iterations_max(instance: object, outputs: object) -> bool:
    """A ReAct loop that used up its steps answers all the same, from what it has found so far."""
    trajectory = getattr(outputs, "trajectory", None)
    if not isinstance(instance, dspy.ReAct) or not isinstance(trajectory, dict):
        return False
    tools = [value for key, value in trajectory.items() if key.startswith("tool_name_")]
    return "finish" not in tools and len(tools) >= instance.max_iters
