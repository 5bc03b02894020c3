"""Remembers something about objects for as long as they live. They need not be hashable."""

import weakref
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Programs that are made anew for each request are forgotten when they are collected; should they be
# kept alive, memory stays bounded all the same.
ENTRIES_MAX = 10_000


class ByIdentity(Generic[T]):
    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._entries: dict[int, tuple[weakref.ref[Any], T]] = {}

    def get(self, key: object) -> T | None:
        entry = self._entries.get(id(key))
        # An id is used again once its object is gone, so the object itself decides.
        return entry[1] if entry is not None and entry[0]() is key else None

    def set(self, key: object, value: T) -> None:
        if len(self._entries) >= self._entries_max:
            self._entries.clear()
        number = id(key)

        def forget(gone: weakref.ref[Any]) -> None:
            entry = self._entries.get(number)
            if entry is not None and entry[0] is gone:
                self._entries.pop(number, None)

        self._entries[number] = (weakref.ref(key, forget), value)

    def __len__(self) -> int:
        return len(self._entries)
