"""Where a module stands inside its program, such as `self.rag.generate`.

Programs are walked once and remembered. A module that is reached twice has the path that is found
first. One that was made inside `forward` stands nowhere: it has the name of its class instead.
"""

import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dspy.predict.parameter import Parameter
from dspy.primitives.base_module import BaseModule

from dspy_databricks_agents.by_identity import ByIdentity

# Most objects that are looked at in one program, and in one list or dictionary of it. A module may
# hold what is no part of it, such as all documents that it searches.
OBJECTS_MAX = 10_000
ENTRIES_MAX = 1_000
# A program is walked again for modules that are not found in it, which may be new in it or made for
# one request: so seldom that each of their calls pays for as many objects.
OBJECTS_PER_MISS = 100

PARTS = (BaseModule, Parameter)
HOLDERS = (*PARTS, list, tuple, dict)

# What a module holds beside its parts: histories and examples grow without end.
NO_PARTS = frozenset(
    {"history", "callbacks", "demos", "traces", "train", "signature", "config", "lm", "fields"}
)


@dataclass(frozen=True, slots=True)
class Place:
    """The program that a call belongs to, and the path of the module inside it."""

    program: Any
    path: str


@dataclass(slots=True)
class _Known:
    """What a walk through a program has found."""

    paths: dict[int, tuple[weakref.ref[Any], str]]
    objects: int
    # Modules that were asked for since, and are not among them.
    misses: int = 0


class ModulePaths:
    def __init__(self) -> None:
        self._known: ByIdentity[_Known] = ByIdentity()

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
        known = self._known.get(program)
        if known is not None:
            path = _look_up(known.paths, module)
            if path is not None:
                return path
            known.misses += 1
            if known.misses * OBJECTS_PER_MISS < known.objects:
                return None
        # The program is new, or may have got another module since it was walked.
        parts, objects = _walk(program)
        paths = {id(part): (weakref.ref(part), path) for path, part in parts}
        self._known.set(program, _Known(paths, objects))
        return _look_up(paths, module)


def _look_up(paths: dict[int, tuple[weakref.ref[Any], str]], module: Any) -> str | None:
    entry = paths.get(id(module))
    return entry[1] if entry is not None and entry[0]() is module else None


def parts_of(program: Any) -> list[tuple[str, Any]]:
    """The program and all modules and parameters inside it, each once, the nearest first."""
    return _walk(program)[0]


def _walk(program: Any) -> tuple[list[tuple[str, Any]], int]:
    """Its parts, and how many objects were looked at."""
    parts: list[tuple[str, Any]] = []
    queue: deque[tuple[str, Any]] = deque([("self", program)])
    seen = {id(program)}
    objects = 0
    while queue and objects <= OBJECTS_MAX:
        path, item = queue.popleft()
        is_part = isinstance(item, PARTS)
        if is_part:
            parts.append((path, item))
        for name, value in _held(item, is_part):
            objects += 1
            # Most of what a program holds is none of these.
            if not isinstance(value, HOLDERS):
                continue
            if id(value) not in seen:
                seen.add(id(value))
                queue.append((f"{path}.{name}" if is_part else f"{path}[{name}]", value))
    return parts, objects


def _held(item: Any, is_part: bool) -> list[tuple[Any, Any]]:
    """By name, key or index. Copied, since other threads may change it meanwhile."""
    if is_part:
        return [(name, value) for name, value in list(vars(item).items()) if name not in NO_PARTS]
    if isinstance(item, dict):
        return list(islice(item.items(), ENTRIES_MAX))
    return list(enumerate(item[:ENTRIES_MAX]))
