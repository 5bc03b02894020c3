"""Makes with MLflow's own client what Databricks' SDK has no call for, so that a recorder can see what it sends.

    DATABRICKS_HOST=http://127.0.0.1:PORT DATABRICKS_TOKEN=x python mlflow-requests.py MODEL_DIRECTORY

Before each operation its name is told to the recorder, by POST /recorder/NAME. Made with mlflow 3.17.2.
"""
import os
import sys
import urllib.parse
import urllib.request

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

from mlflow import MlflowClient  # noqa: E402
from mlflow.store.artifact.databricks_artifact_repo import DatabricksArtifactRepository  # noqa: E402
from mlflow.store.tracking.rest_store import RestStore  # noqa: E402
from mlflow.utils.databricks_utils import get_databricks_host_creds  # noqa: E402

host = os.environ["DATABRICKS_HOST"]
source = sys.argv[1]
client = MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
tracking = RestStore(lambda: get_databricks_host_creds("databricks"))
name = "ml.agents.support"

OPERATIONS = {
    "a model is registered": lambda: client.create_registered_model(name, description="Answers"),
    "a version is registered through the files API": lambda: client.create_model_version(name, source=source),
    "a version is registered at signed addresses": lambda: client.create_model_version(name, source=source),
    "a version is read": lambda: client.get_model_version(name, "3"),
    "traces are searched": lambda: tracking.search_traces(
        locations=["7"],
        filter_string="trace.timestamp_ms >= 5",
        max_results=100,
        order_by=["timestamp_ms ASC"],
    ),
    "traces are read": lambda: tracking.batch_get_traces(["tr-1", "tr-2"]),
    "the file of a trace is read": lambda: DatabricksArtifactRepository(
        "dbfs:/databricks/mlflow-tracking/7/tr-1/artifacts"
    ).download_trace_data(),
}

for operation, run in OPERATIONS.items():
    address = f"{host}/recorder/{urllib.parse.quote(operation, safe='')}"
    urllib.request.urlopen(urllib.request.Request(address, method="POST")).read()
    try:
        run()
    except Exception as error:  # What was sent counts; what it made of the answer is told, should nothing have been sent.
        print(f"{operation}: {type(error).__name__}: {error}", file=sys.stderr)
