"""Traces to a workspace with MLflow's own client, and reads the spans back.

    DATABRICKS_HOST=http://127.0.0.1:PORT DATABRICKS_TOKEN=... python mlflow-send-traces.py

Made with mlflow 3.17.2. Exits with an error when a check fails.
"""
import os

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
import mlflow
from mlflow import MlflowClient

mlflow.set_tracking_uri("databricks")
client = MlflowClient()
experiment = client.create_experiment("/Shared/traced")
mlflow.set_experiment(experiment_id=experiment)

for question in ["one", "two"]:
    with mlflow.start_span("ask") as root:
        root.set_inputs({"question": question})
        with mlflow.start_span("look up") as inner:
            inner.set_outputs([question])
        root.set_outputs(question.upper())

found = client.search_traces(locations=[experiment], order_by=["timestamp_ms ASC"])
assert len(found) == 2, found
first = client.get_trace(found[0].info.trace_id)
assert [span.name for span in first.data.spans] == ["ask", "look up"], first.data.spans
assert first.data.spans[0].inputs == {"question": "one"}, first.data.spans[0].inputs
assert first.info.state == "OK" and first.info.experiment_id == experiment, first.info
client.set_trace_tag(first.info.trace_id, "seen", "yes")
assert client.get_trace(first.info.trace_id).info.tags["seen"] == "yes"
client.delete_trace_tag(first.info.trace_id, "seen")
assert "seen" not in client.get_trace(first.info.trace_id).info.tags
print("ok")
