"""The release changes with what the program asks of its models, and with nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import dspy
import pytest

from dspy_databricks_agents.by_identity import ByIdentity
from dspy_databricks_agents.release import Releases


class Rag(dspy.Module):
    def __init__(self, instructions="Answer the question."):
        super().__init__()
        self.triage = dspy.Predict("question -> kind")
        self.generate = dspy.ChainOfThought(dspy.Signature("question -> answer", instructions))

    def forward(self, question):
        self.triage(question=question)
        return self.generate(question=question)


def lm(**options):
    return dspy.LM("openai/gpt-4o-mini", **{"api_key": "sk-1", "temperature": 0.2, **options})


def release(program=None, model=None):
    return Releases().of(program or Rag(), model or lm()).hash


def changed(change):
    program = Rag()
    change(program)
    return program


def set_demos(program):
    program.triage.demos = [dspy.Example(question="a", kind="b")]


def set_own_lm(program):
    program.triage.lm = lm(model_type="text")


@pytest.mark.parametrize(
    "other",
    [
        lambda: release(Rag("Answer the question, in French.")),
        lambda: release(changed(set_demos)),
        lambda: release(changed(set_own_lm)),
        lambda: release(model=lm(temperature=0.9)),
        lambda: release(model=lm(max_tokens=20)),
        lambda: release(model=dspy.LM("openai/gpt-4o", api_key="sk-1", temperature=0.2)),
        lambda: release(dspy.Predict("question -> answer")),
    ],
)
def test_it_changes_with(other):
    assert other() != release()


@pytest.mark.parametrize(
    "other",
    [
        release,
        lambda: release(model=lm(api_key="sk-2")),
        lambda: release(model=lm(api_base="https://elsewhere.example", timeout=3)),
        lambda: release(model=lm(extra_headers={"authorization": "Bearer x"})),
        lambda: release(changed(lambda program: program.history.append({"a": 1}))),
    ],
)
def test_it_stays_with(other):
    assert other() == release()


def test_it_is_the_same_in_another_process():
    script = "import test_release; print(test_release.release())"
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{tests.parent / 'src'}{os.pathsep}{tests}"}
    other = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.split()[-1] == release()


def test_it_follows_what_load_and_optimizers_exchange(tmp_path):
    releases, model, program = Releases(), lm(), Rag()
    before = releases.of(program, model)
    better = Rag("Answer the question, briefly.")
    better.save(tmp_path / "program.json")
    program.load(tmp_path / "program.json")
    after = releases.of(program, model)
    assert after.hash != before.hash
    assert after.hash == release(better)
    differing = [
        path
        for path, part in program.named_predictors()
        if before.predictors[id(part)] != after.predictors[id(part)]
    ]
    assert differing == ["generate.predict"]


def test_it_is_computed_once(monkeypatch):
    from dspy_databricks_agents import release as module

    releases, model, program = Releases(), lm(), Rag()
    first = releases.of(program, model)
    monkeypatch.setattr(module, "_predictor_state", lambda _: pytest.fail("computed again"))
    assert releases.of(program, model) == first


def test_demonstrations_may_hold_anything(make_lm):
    program = Rag()
    program.triage.demos = [
        dspy.Example(question={"b", "a"}, kind=object(), more=[{1: b"x"}, dspy.Image("http://a/b")])
    ]
    assert release(program) == release(program)


def test_the_root_tells_it_and_each_predictor_its_own(spans):
    program = Rag()
    program(question="why?")
    (root,) = spans.roots()
    assert root.attributes["dspy.release"] == release(program, dspy.settings.lm)
    told = {
        span.attributes["dspy.module.path"]: span.attributes.get("dspy.predictor.hash")
        for span in spans.of_kind("module")
    }
    assert told["self"] is None
    assert told["self.triage"]
    assert told["self.generate.predict"]
    assert told["self.triage"] != told["self.generate.predict"]


def test_programs_are_forgotten_when_they_are_gone():
    import gc

    releases = Releases()
    for _ in range(50):
        releases.of(Rag(), lm())
        releases.of(dspy.Predict("a -> b"), lm())
    gc.collect()
    assert len(releases._programs) == 0
    assert len(releases._lms) == 0


def test_what_is_remembered_is_bounded():
    class Thing:
        __hash__ = None

    known: ByIdentity[int] = ByIdentity(entries_max=10)
    things = [Thing() for _ in range(25)]
    for number, thing in enumerate(things):
        known.set(thing, number)
        assert len(known) <= 10
    assert known.get(things[24]) == 24
    assert known.get(things[0]) is None
