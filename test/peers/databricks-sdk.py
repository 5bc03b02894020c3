"""Drives the local workspace with Databricks' own SDK for Python, as an independent reading of the same API.

    DATABRICKS_HOST=http://127.0.0.1:PORT DATABRICKS_TOKEN=... python databricks-sdk.py

Made with databricks-sdk 0.156.0. Prints one line for each check, and exits with 1 when one fails.
"""
import os
import sys

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, NotImplemented, Unauthenticated
from databricks.sdk.service.serving import (
    ChatMessage,
    ChatMessageRole,
    EndpointStateConfigUpdate,
    EndpointStateReady,
    ServedModelStateDeployment,
)

AGENTS = ["support-rag", "order-agent", "triage-pipeline"]
QUESTION = "How do I return a laptop?"
LIMITED_QUESTION = "Can I return opened software?"
ANSWER = "Goods may be returned within 30 days of delivery for a full refund."


def client(token):
    config = Config(host=os.environ["DATABRICKS_HOST"], token=token, auth_type="pat", retry_timeout_seconds=10)
    return WorkspaceClient(config=config)


workspace = client(os.environ["DATABRICKS_TOKEN"])
endpoints = workspace.serving_endpoints


def raised(kind, run):
    try:
        run()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def lists_every_endpoint():
    listed = {endpoint.name: endpoint for endpoint in endpoints.list()}
    assert sorted(listed) == sorted(AGENTS), sorted(listed)
    for endpoint in listed.values():
        assert endpoint.id and endpoint.id != endpoint.name
        assert endpoint.state.ready is EndpointStateReady.READY
        assert endpoint.state.config_update is EndpointStateConfigUpdate.NOT_UPDATING
        assert endpoint.task == "agent/v1/chat"


def describes_an_endpoint():
    endpoint = endpoints.get("support-rag")
    assert endpoint.creator and endpoint.creation_timestamp > 1_600_000_000_000
    (entity,) = endpoint.config.served_entities
    assert entity.state.deployment is ServedModelStateDeployment.DEPLOYMENT_READY
    assert entity.entity_name == "main.agents.support_rag" and entity.entity_version == "1"
    (route,) = endpoint.config.traffic_config.routes
    assert route.served_model_name == entity.name and route.traffic_percentage == 100


def answers_a_question():
    response = endpoints.query("support-rag", inputs={"question": QUESTION})
    assert response.predictions["answer"] == ANSWER, response
    assert response.served_model_name == "support_rag-1", response


def answers_a_chat():
    message = ChatMessage(role=ChatMessageRole.USER, content=QUESTION)
    (choice,) = endpoints.query("support-rag", messages=[message]).choices
    # The SDK looks for `finishReason`, where OpenAI's format and MLflow have `finish_reason`: it is not checked.
    assert choice.index == 0 and ANSWER in choice.message.content, choice


def tells_of_a_failing_model():
    error = raised(BadRequest, lambda: endpoints.query("support-rag", inputs={"question": LIMITED_QUESTION}))
    assert error.error_code == "BAD_REQUEST" and "Rate limit" in str(error)


def refuses_a_question_without_a_recording():
    error = raised(BadRequest, lambda: endpoints.query("support-rag", inputs={"question": "Who is there?"}))
    assert "no recorded answer" in str(error)


def exports_metrics():
    text = endpoints.export_metrics("support-rag").contents.read().decode()
    assert "# TYPE request_latency_ms histogram" in text
    counted = [line for line in text.splitlines() if line.startswith("request_latency_ms_count ")]
    assert int(counted[0].split()[1]) >= 4, counted


def does_not_know_other_endpoints():
    error = raised(NotFound, lambda: endpoints.get("nobody"))
    assert error.error_code == "RESOURCE_DOES_NOT_EXIST" and "nobody" in str(error)
    assert error.get_error_details().request_info.request_id


def refuses_another_token():
    error = raised(Unauthenticated, lambda: list(client("dapi0").serving_endpoints.list()))
    assert error.error_code == "UNAUTHENTICATED"


def names_what_it_does_not_have():
    error = raised(NotImplemented, lambda: list(workspace.clusters.list()))
    assert "GET /api/2" in str(error), str(error)


CHECKS = [
    lists_every_endpoint,
    describes_an_endpoint,
    answers_a_question,
    answers_a_chat,
    tells_of_a_failing_model,
    refuses_a_question_without_a_recording,
    exports_metrics,
    does_not_know_other_endpoints,
    refuses_another_token,
    names_what_it_does_not_have,
]

failures = 0
for check in CHECKS:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print(f"ok      {name}")
    except (AssertionError, DatabricksError, LookupError, TypeError, ValueError, AttributeError) as error:
        failures += 1
        print(f"FAILED  {name}: {type(error).__name__}: {error}")
sys.exit(1 if failures else 0)
