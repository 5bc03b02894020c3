"""Makes calls with Databricks' own SDK for Python, and prints what each answered.

    DATABRICKS_HOST=http://127.0.0.1:PORT python sdk-driver.py < calls.json

Reads `{"tokens": {"admin": "…"}, "timeout": 60, "calls": [{"call": "catalogs.create", "args": {…}, "as": "admin"}]}` and prints, as its last line, a
JSON list: `{"answer": …}` or `{"error": {"type", "code", "message"}}` for each call. In the arguments,
`{"$type": "serving.EndpointCoreConfigInput", "value": {…}}` is an object of the SDK, `{"$enum": "catalog.VolumeType.MANAGED"}`
one of its enums, `{"$ref": "0.id"}` a part of an earlier answer, and `{"$bytes": "…"}` a file. `"wait": true` waits for the
outcome of a call that has one. Made with databricks-sdk 0.156.0.
"""
import base64
import importlib
import io
import json
import os
import sys
from datetime import timedelta

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import DatabricksError, OperationFailed

request = json.load(sys.stdin)
clients = {}
answers = []


def client(name):
    if name not in clients:
        token = request["tokens"][name]
        options = {"token": token, "auth_type": "pat"}
        if isinstance(token, dict):
            options = {"client_id": token["id"], "client_secret": token["secret"], "auth_type": "oauth-m2m"}
        config = Config(host=os.environ["DATABRICKS_HOST"], retry_timeout_seconds=10, **options)
        clients[name] = WorkspaceClient(config=config)
    return clients[name]


def service(path):
    module, *names = path.split(".")
    found = importlib.import_module(f"databricks.sdk.service.{module}")
    for name in names:
        found = getattr(found, name)
    return found


def argument(value):
    if isinstance(value, list):
        return [argument(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$type" in value:
        return service(value["$type"]).from_dict(argument(value["value"]))
    if "$enum" in value:
        return service(value["$enum"])
    if "$bytes" in value:
        return io.BytesIO(value["$bytes"].encode())
    if "$ref" in value:
        index, *path = value["$ref"].split(".")
        found = answers[int(index)]["answer"]
        for part in path:
            found = found[int(part) if isinstance(found, list) else part]
        return found
    return {key: argument(each) for key, each in value.items()}


def plain(value):
    if hasattr(value, "contents") and hasattr(getattr(value, "contents"), "read"):
        with value.contents as contents:
            body = contents.read()
        return {"contents": body if isinstance(body, str) else body.decode()}
    if hasattr(value, "read"):
        return value.read().decode()
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return [plain(each) for each in value] if hasattr(value, "__iter__") else None


for call in request["calls"]:
    target = client(call.get("as", "admin"))
    try:
        for name in call["call"].split("."):
            target = getattr(target, name)
        answer = target(**argument(call.get("args", {})))
        if call.get("wait"):
            answer = answer.result(timeout=timedelta(seconds=request["timeout"]))
        elif hasattr(answer, "response"):
            answer = answer.response
        answers.append({"answer": plain(answer)})
    except DatabricksError as error:
        answers.append({"error": {"type": type(error).__name__, "code": error.error_code, "message": str(error)}})
    except OperationFailed as error:
        answers.append({"error": {"type": "OperationFailed", "code": None, "message": str(error)}})

print("ANSWERS " + json.dumps(answers))
