"""The release of a program: a hash of everything in it that changes what it asks of its models.

That is the instructions, fields, demonstrations and settings of its predictors, and the model with
its settings. Secrets and addresses are left out: another key is not another release. It is computed
once per program, and again when a signature, a predictor's model or its demonstrations were
exchanged, as `load` and optimizers do.
"""

import hashlib
import json
import re
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy

from dspy_databricks_agents.by_identity import ByIdentity
from dspy_databricks_agents.module_path import parts_of

HASH_DIGITS = 16
# Models of one program whose releases are remembered; others are hashed again.
MODELS_MAX = 100

# `max_tokens` is no secret, a `token` is.
SECRETS_AND_PLACES = re.compile(
    r"key|token(?!s)|secret|password|credential|auth|header|base|url|endpoint|host|client|timeout",
    re.IGNORECASE,
)
MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Release:
    hash: str
    # The hash of each predictor, by `id`: it tells which of them differ between two releases.
    predictors: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _ProgramState:
    hash: str
    predictor_hashes: Mapping[int, str]
    predictors: list[weakref.ref[Any]]
    # What the predictors were made of. Held, so that nothing else can have the same identity.
    marks: list[Any]
    # By the hash of the model.
    releases: dict[str, Release]


class Releases:
    def __init__(self) -> None:
        self._programs: ByIdentity[_ProgramState] = ByIdentity()
        self._lms: ByIdentity[str] = ByIdentity()

    def of(self, program: Any, lm: Any) -> Release:
        """`lm` is the model of those predictors that have none of their own."""
        state = self._programs.get(program)
        if state is None or not _is_current(state):
            state = _state_of(program)
            self._programs.set(program, state)
        lm_hash = self._lm_hash(lm)
        release = state.releases.get(lm_hash)
        if release is None:
            if len(state.releases) >= MODELS_MAX:
                state.releases.clear()
            release = Release(_hash([state.hash, lm_hash]), state.predictor_hashes)
            state.releases[lm_hash] = release
        return release

    def _lm_hash(self, lm: Any) -> str:
        if lm is None:
            return ""
        known = self._lms.get(lm)
        if known is None:
            known = _hash(_lm_state(lm))
            self._lms.set(lm, known)
        return known


def _state_of(program: Any) -> _ProgramState:
    predictors = [
        (path, part) for path, part in parts_of(program) if isinstance(part, dspy.Predict)
    ]
    # Taken first: what changes while it is hashed is found out by the next call.
    marks = [mark for _, predictor in predictors for mark in _marks(predictor)]
    hashes = {id(part): _hash(_predictor_state(part)) for _, part in predictors}
    by_path = {path: hashes[id(part)] for path, part in predictors}
    return _ProgramState(
        _hash([_class_name(program), by_path]),
        hashes,
        [weakref.ref(part) for _, part in predictors],
        marks,
        {},
    )


def _marks(predictor: Any) -> tuple[Any, ...]:
    demos = predictor.demos
    return predictor.signature, demos, len(demos), predictor.lm


def _is_current(state: _ProgramState) -> bool:
    marks = iter(state.marks)
    for reference in state.predictors:
        predictor = reference()
        if predictor is None or any(mark is not next(marks) for mark in _marks(predictor)):
            return False
    return True


def _predictor_state(predictor: Any) -> dict[str, Any]:
    signature = predictor.signature
    return {
        "class": _class_name(predictor),
        "name": signature.__name__,
        "instructions": signature.instructions,
        "fields": [
            [name, repr(field.annotation), field.json_schema_extra]
            for name, field in signature.fields.items()
        ],
        "demos": [_plain(demo) for demo in predictor.demos],
        "config": _without_secrets(predictor.config),
        "lm": _lm_state(predictor.lm),
    }


def _lm_state(lm: Any) -> dict[str, Any] | None:
    if lm is None:
        return None
    return {
        "class": _class_name(lm),
        "model": getattr(lm, "model", None),
        "model_type": getattr(lm, "model_type", None),
        "settings": _without_secrets(getattr(lm, "kwargs", None) or {}),
    }


def _without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if not SECRETS_AND_PLACES.search(key)}


def _class_name(thing: Any) -> str:
    return type(thing).__qualname__


def _hash(state: Any) -> str:
    text = json.dumps(state, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]


def _plain(value: Any) -> Any:
    """The same for the same content in every process: no memory addresses, no order of sets."""
    if hasattr(value, "toDict"):
        return {str(key): item for key, item in value.toDict().items()}
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    return MEMORY_ADDRESS.sub("", repr(value))
