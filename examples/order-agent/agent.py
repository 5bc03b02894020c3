"""Looks orders up, and the weather where they go: a ReAct loop with two tools."""
import time

import dspy

# How long the order database takes to answer, in seconds. The recording sets it, and the tool really waits.
order_database_s = 0.02


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


program = order_agent()
