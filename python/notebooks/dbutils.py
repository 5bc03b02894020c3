"""What notebooks call `dbutils`, as far as it means something on this machine."""

import base64
from typing import Any, NoReturn

import workspace


class NotebookExit(BaseException):
    """Ends the notebook, well; no `except Exception` of it catches this."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Widgets:
    """Parameters of the run, over the defaults that the notebook gives."""

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:
        self._defaults[name] = defaultValue

    def dropdown(self, name: str, defaultValue: str, *_: Any, **__: Any) -> None:
        self._defaults[name] = defaultValue

    combobox = multiselect = dropdown

    def getAll(self) -> dict[str, str]:
        return {**self._defaults, **self._given}

    def get(self, name: str) -> str:
        values = self.getAll()
        if name not in values:
            raise ValueError(f"InputWidgetNotDefined: no input widget named {name} is defined")
        return values[name]

    getArgument = get

    def remove(self, name: str) -> None:
        self._defaults.pop(name, None)

    def removeAll(self) -> None:
        self._defaults.clear()


class Notebook:
    def exit(self, value: Any) -> NoReturn:
        raise NotebookExit(str(value))

    def run(self, path: str, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(
            f"the local workspace runs no notebook out of another: {path}."
            " Use %run, or a job with two tasks"
        )


class Secrets:
    def get(self, scope: str, key: str) -> str:
        told = workspace.call("GET", "/api/2.0/secrets/get", scope=scope, key=key)
        return base64.b64decode(told["value"]).decode()

    getBytes = None


class Library:
    def restartPython(self) -> None:
        """Nothing was installed that would need it."""


class DbUtils:
    def __init__(self, parameters: dict[str, str]) -> None:
        self.widgets = Widgets(parameters)
        self.notebook = Notebook()
        self.secrets = Secrets()
        self.library = Library()

    def __getattr__(self, name: str) -> NoReturn:
        raise NotImplementedError(f"the local workspace has no dbutils.{name}")
