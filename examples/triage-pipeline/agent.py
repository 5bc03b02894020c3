"""Decides which team a question is for, lets that team's program answer, and checks the answer."""
import re
import time
from typing import Literal

import dspy

PASSAGES = [
    "Refunds: goods may be returned within 30 days of delivery for a full refund.",
    "Shipping: standard delivery takes 3 to 5 working days, express delivery takes 1 day.",
    "Warranty: electronics carry a two-year warranty against manufacturing defects.",
    "Support hours: the help desk is staffed from 08:00 to 20:00 on weekdays.",
    "Loyalty: members earn one point per euro, and 100 points give a 5 euro voucher.",
    "Payment: cards, bank transfer and invoice are accepted, and invoices are due after 14 days.",
    "Gift cards: gift cards are valid for three years and cannot be exchanged for money.",
]

# How long the order database takes to answer, in seconds. The recording sets it, and the tool really waits.
order_database_s = 0.02


class RetrievedPassage(dict):
    """What `dspy.Retrieve` expects of a retrieval model: an object with `long_text`."""

    @property
    def long_text(self):
        return self["long_text"]


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))


def search_passages(query: str, k: int = 3, **_):
    wanted = words_of(query)
    best_first = sorted(PASSAGES, key=lambda passage: len(wanted & words_of(passage)), reverse=True)
    return [RetrievedPassage(long_text=passage) for passage in best_first[:k]]


class AnswerFromPassages(dspy.Signature):
    """Answer the customer's question, using the passages only."""

    context: list[str] = dspy.InputField()
    question: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="one or two sentences")


class TriageQuestion(dspy.Signature):
    """Decide which team answers the question."""

    question: str = dspy.InputField()
    category: Literal["order", "policy"] = dspy.OutputField()
    urgency: int = dspy.OutputField(desc="1 (low) to 3 (high)")


class RagQA(dspy.Module):
    def __init__(self):
        super().__init__()
        self.retrieve = dspy.Retrieve(k=3)
        self.generate = dspy.ChainOfThought(AnswerFromPassages)

    def forward(self, question: str):
        return self.generate(context=self.retrieve(question).passages, question=question)


def lookup_order(order_id: str) -> str:
    """Look up the state of an order by its id."""
    time.sleep(order_database_s)
    if order_id.startswith("A-9"):
        raise ConnectionError(f"the order database does not answer for {order_id}")
    return f"Order {order_id} was shipped on Monday and arrives on Thursday."


def get_weather(city: str) -> str:
    """Current weather in a city."""
    return f"It is sunny and 21 degrees in {city}."


def order_agent():
    return dspy.ReAct("question -> answer", tools=[lookup_order, get_weather], max_iters=4)


class SupportPipeline(dspy.Module):
    """Triage, then question answering or the tool agent, then a check of the answer."""

    def __init__(self):
        super().__init__()
        self.triage = dspy.Predict(TriageQuestion)
        self.rag = RagQA()
        self.agent = order_agent()
        self.check = dspy.Predict("question, answer -> grounded: bool, score: float")

    def forward(self, question: str):
        triage = self.triage(question=question)
        branch = self.agent if triage.category == "order" else self.rag
        answer = branch(question=question).answer
        check = self.check(question=question, answer=answer)
        return dspy.Prediction(
            answer=answer, category=triage.category, urgency=triage.urgency, grounded=check.grounded, score=check.score
        )


dspy.configure(rm=search_passages)
program = SupportPipeline()
