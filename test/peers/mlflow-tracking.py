"""Logs runs to a workspace with MLflow's own client.

    DATABRICKS_HOST=http://127.0.0.1:PORT DATABRICKS_TOKEN=... python mlflow-tracking.py

Made with mlflow 3.17.2. Exits with an error when a check fails.
"""
import os

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException, RestException

client = MlflowClient(tracking_uri="databricks")


def raised(run):
    try:
        run()
    except (RestException, MlflowException) as error:
        return error
    raise AssertionError("nothing was raised")


experiment = client.create_experiment("/Shared/agents", tags={"team": "a"})
assert client.get_experiment_by_name("/Shared/agents").experiment_id == experiment
assert client.get_experiment(experiment).tags["team"] == "a"
assert raised(lambda: client.create_experiment("/Shared/agents")).error_code == "RESOURCE_ALREADY_EXISTS"
assert "absolute path" in str(raised(lambda: client.create_experiment("agents")))
assert client.get_experiment_by_name("/Shared/nothing") is None
assert [each.name for each in client.search_experiments(filter_string="tags.team = 'a'")] == ["/Shared/agents"]

run = client.create_run(experiment, run_name="first", tags={"endpoint": "qa"})
run_id = run.info.run_id
client.log_batch(
    run_id,
    metrics=[Metric("p95", 1.5, 1, 0), Metric("p95", 2.5, 2, 1), Metric("a/b", float("nan"), 3, 0)],
    params=[Param("model", "m")],
    tags=[RunTag("release", "7")],
)
client.log_metric(run_id, "p95", 3.5, timestamp=3, step=2)
client.log_param(run_id, "size", "Small")
client.set_tag(run_id, "mood", "good")
client.delete_tag(run_id, "mood")
found = client.get_run(run_id)
assert found.data.metrics["p95"] == 3.5 and found.data.metrics["a/b"] != found.data.metrics["a/b"], found.data.metrics
assert found.data.params == {"model": "m", "size": "Small"}, found.data.params
assert found.data.tags["release"] == "7" and "mood" not in found.data.tags, found.data.tags
assert [point.value for point in client.get_metric_history(run_id, "p95")] == [1.5, 2.5, 3.5]

# A parameter doesn't change; the metrics of that batch are written all the same.
refused = raised(lambda: client.log_batch(run_id, metrics=[Metric("late", 1, 1, 0)], params=[Param("model", "other")]))
assert "Changing param values is not allowed" in str(refused), refused
assert client.get_run(run_id).data.metrics["late"] == 1

client.set_terminated(run_id, "FINISHED")
assert client.get_run(run_id).info.status == "FINISHED"
other = client.create_run(experiment).info.run_id
names = [each.info.run_id for each in client.search_runs([experiment], "tags.endpoint = 'qa' AND attributes.status = 'FINISHED'")]
assert names == [run_id], names
client.delete_run(other)
assert len(client.search_runs([experiment])) == 1
client.delete_experiment(experiment)
assert client.create_experiment("/Shared/agents") != experiment
print("ok")
