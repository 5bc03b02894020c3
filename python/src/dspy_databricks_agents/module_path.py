"""Where a module stands inside its program, such as `self.rag.generate`.

Programs are walked once and remembered. A module that is reached twice has the path that is found
first. One that was made inside `forward` stands nowhere: it has the name of its class instead.
"""

import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dspy.predict.parameter import Parameter
from dspy.primitives.base_module import BaseModule

from dspy_databricks_agents.by_identity import ByIdentity

# Most objects that are looked at in one program. A module may hold lists that are no part of it.
OBJECTS_MAX = 10_000

# What a module holds beside its parts: histories and examples grow without end.
NO_PARTS = frozenset(
    {"history", "callbacks", "demos", "traces", "train", "signature", "config", "lm", "fields"}
)


@dataclass(frozen=True, slots=True)
class Place:
    """The program that a call belongs to, and the path of the module inside it."""

    program: Any
    path: str


class ModulePaths:
    def __init__(self) -> None:
        self._known: ByIdentity[dict[int, tuple[weakref.ref[Any], str]]] = ByIdentity()

    def locate(self, module: Any, callers: Sequence[Any]) -> Place:
        """`callers` are the modules that are running around the call, the outermost first."""
        program = callers[0] if callers else module
        return Place(program, self._path(module, callers))

    def _path(self, module: Any, callers: Sequence[Any]) -> str:
        if not callers:
            return "self"
        for index, caller in enumerate(callers):
            path = self._path_within(caller, module)
            if path is None:
                continue
            return self._path(caller, callers[:index]) + path.removeprefix("self")
        return type(module).__name__

    def _path_within(self, program: Any, module: Any) -> str | None:
        paths = self._known.get(program)
        if paths is not None and (path := _look_up(paths, module)) is not None:
            return path
        # Unknown: the program is new, or has got another module since it was walked.
        paths = {id(part): (weakref.ref(part), path) for path, part in parts_of(program)}
        self._known.set(program, paths)
        return _look_up(paths, module)


def _look_up(paths: dict[int, tuple[weakref.ref[Any], str]], module: Any) -> str | None:
    entry = paths.get(id(module))
    return entry[1] if entry is not None and entry[0]() is module else None


def parts_of(program: Any) -> Iterator[tuple[str, Any]]:
    """The program and all modules and parameters inside it, each once, the nearest first."""
    queue: deque[tuple[str, Any]] = deque([("self", program)])
    seen = {id(program)}
    while queue and len(seen) <= OBJECTS_MAX:
        path, item = queue.popleft()
        if isinstance(item, BaseModule | Parameter):
            yield path, item
            held = [
                (f"{path}.{name}", value)
                for name, value in list(vars(item).items())
                if name not in NO_PARTS
            ]
        elif isinstance(item, dict):
            held = [(f"{path}[{key}]", value) for key, value in list(item.items())]
        else:
            held = [(f"{path}[{index}]", value) for index, value in enumerate(list(item))]
        for name, value in held:
            is_part = isinstance(value, BaseModule | Parameter | list | tuple | dict)
            if is_part and id(value) not in seen:
                seen.add(id(value))
                queue.append((name, value))
