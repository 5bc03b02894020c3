"""Makes every operation of a list with Databricks' own SDK for Python, so that a recorder can see what it sends.

    DATABRICKS_HOST=http://127.0.0.1:PORT DATABRICKS_TOKEN=x python client-requests.py < operations.json

An operation is {"name", "call": "serving_endpoints.create", "with": {...}}. Arguments are JSON; where the SDK wants a
class or an enumeration of its own, they are turned into it by the SDK's own types. Before each operation its name is
told to the recorder, by POST /recorder/NAME. Made with databricks-sdk 0.156.0.
"""
import base64
import enum
import io
import json
import os
import sys
import typing
import urllib.parse
import urllib.request
from collections.abc import Iterator

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

host = os.environ["DATABRICKS_HOST"]
workspace = WorkspaceClient(
    config=Config(
        host=host,
        token=os.environ["DATABRICKS_TOKEN"],
        auth_type="pat",
        retry_timeout_seconds=5,
        # Otherwise it first asks for a signed address of each file, and falls back to the API of the documentation.
        disable_experimental_files_api_client=True,
    )
)


def as_type(kind, value):
    """Turns JSON into what a parameter is declared as: List[X], Optional[X], a dataclass, an enumeration or bytes."""
    arguments = [argument for argument in typing.get_args(kind) if argument is not type(None)]
    if isinstance(value, list) and arguments:
        return [as_type(typing.get_args(arguments[0])[0] if typing.get_args(arguments[0]) else arguments[0], item) for item in value]
    if typing.get_origin(kind) is typing.Union:
        return as_type(arguments[0], value)
    if kind is typing.BinaryIO:
        return io.BytesIO(base64.b64decode(value))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    if hasattr(kind, "from_dict") and isinstance(value, dict):
        return kind.from_dict(value)
    return value


def announce(name):
    address = f"{host}/recorder/{urllib.parse.quote(name, safe='')}"
    urllib.request.urlopen(urllib.request.Request(address, method="POST")).read()


for operation in json.load(sys.stdin):
    announce(operation["name"])
    api, method = operation["call"].split(".")
    function = getattr(getattr(workspace, api), method)
    hints = typing.get_type_hints(function)
    arguments = {key: as_type(hints.get(key), value) for key, value in operation["with"].items()}
    try:
        result = function(**arguments)
        if isinstance(result, Iterator):
            list(result)
    except Exception as error:  # What was sent counts; what it made of the answer is told, should nothing have been sent.
        print(f"{operation['name']}: {type(error).__name__}: {error}", file=sys.stderr)
