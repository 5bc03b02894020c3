"""Answers questions about a shop's policies: looks up three passages, then thinks step by step."""
import re

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


class RagQA(dspy.Module):
    def __init__(self):
        super().__init__()
        self.retrieve = dspy.Retrieve(k=3)
        self.generate = dspy.ChainOfThought(AnswerFromPassages)

    def forward(self, question: str):
        return self.generate(context=self.retrieve(question).passages, question=question)


dspy.configure(rm=search_passages)
program = RagQA()
