"""Prompts, answers and messages of exceptions as text. Used only where they were asked for."""

import json
from typing import Any

CONTENT_LENGTH_MAX = 8_000


def content_of(value: Any) -> str:
    if hasattr(value, "toDict"):
        value = value.toDict()
    return json.dumps(value, default=str, ensure_ascii=False)[:CONTENT_LENGTH_MAX]


def message_of(exception: BaseException) -> str:
    return f"{type(exception).__name__}: {exception}"[:CONTENT_LENGTH_MAX]
