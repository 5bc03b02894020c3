"""Puts a callback into DSPy so that it stays there.

`dspy.configure(callbacks=[…])` replaces all callbacks, and `dspy.streamify` brings back those that
it saw when it was called. So both get ours added, whatever is called first.
"""

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback


class Registration:
    def __init__(self, callback: BaseCallback) -> None:
        self._callback = callback
        self._settings_class = type(dspy.settings)
        self._originals = {
            name: getattr(self._settings_class, name) for name in ("configure", "context")
        }
        for name, original in self._originals.items():
            setattr(self._settings_class, name, self._keeping_callback(original))
        self._rebind()
        # Not by dspy.configure: DSPy lets only the thread that called it first call it again.
        config = _settings_module().main_thread_config
        config["callbacks"] = self._with_ours(config["callbacks"])

    def remove(self) -> None:
        for name, original in self._originals.items():
            setattr(self._settings_class, name, original)
        self._rebind()
        config = _settings_module().main_thread_config
        config["callbacks"] = [c for c in config["callbacks"] if c is not self._callback]

    def _keeping_callback(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(settings: Any, **kwargs: Any) -> Any:
            if "callbacks" in kwargs:
                kwargs["callbacks"] = self._with_ours(kwargs["callbacks"])
            return original(settings, **kwargs)

        return method

    def _with_ours(self, callbacks: list[Any] | None) -> list[Any]:
        others = [c for c in callbacks or [] if c is not self._callback]
        return [*others, self._callback]

    def _rebind(self) -> None:
        for name in self._originals:
            setattr(dspy, name, getattr(dspy.settings, name))


def _settings_module() -> ModuleType:
    # `dspy.dsp.utils.settings` as an attribute is the object of that name, not the module.
    return importlib.import_module("dspy.dsp.utils.settings")
