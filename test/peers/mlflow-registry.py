"""Registers a model in a workspace's Unity Catalog with MLflow's own client, and loads it from there.

    DATABRICKS_HOST=http://127.0.0.1:PORT DATABRICKS_TOKEN=... python mlflow-registry.py DIRECTORY

Made with mlflow 3.17.2. Prints one line for each check, and exits with 1 when one fails.
"""
import os
import pathlib
import sys

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

directory = pathlib.Path(sys.argv[1])
NAME = "ml.agents.echo"
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
client = MlflowClient()


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


def raised(run):
    try:
        run()
    except (RestException, MlflowException) as error:
        return error
    raise AssertionError("nothing was raised")


def saves_a_model():
    text = Schema([ColSpec(DataType.string, "q")])
    signature = ModelSignature(inputs=text, outputs=text)
    mlflow.pyfunc.save_model(str(directory / "model"), python_model=Echo(), signature=signature, pip_requirements=[])


def registers_a_model():
    client.create_registered_model(NAME, tags={"team": "a"}, description="says it again")
    model = client.get_registered_model(NAME)
    assert model.name == NAME and model.description == "says it again" and model.tags == {"team": "a"}, model


def does_not_register_it_twice():
    error = raised(lambda: client.create_registered_model(NAME))
    assert error.error_code == "RESOURCE_ALREADY_EXISTS", error


def uploads_and_finalizes_a_version():
    version = client.create_model_version(NAME, str(directory / "model"), tags={"sha": "1"}, description="first")
    assert str(version.version) == "1" and version.status == "READY", version
    found = client.get_model_version(NAME, "1")
    assert found.tags == {"sha": "1"} and found.description == "first" and found.status == "READY", found


def downloads_what_was_uploaded():
    target = directory / "downloaded"
    target.mkdir()
    mlflow.artifacts.download_artifacts(f"models:/{NAME}/1", dst_path=str(target))
    for path in (directory / "model").rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(directory / "model")
            # The registry's address is added to this one by the client.
            if copy.name != "registered_model_meta":
                assert copy.read_bytes() == path.read_bytes(), copy


def loads_it_by_alias():
    client.set_registered_model_alias(NAME, "champion", 1)
    assert str(client.get_model_version_by_alias(NAME, "champion").version) == "1"
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    import pandas

    assert model.predict(pandas.DataFrame({"q": ["hi"]}))["q"].tolist() == ["hi"]


def registers_by_the_short_way_too():
    version = mlflow.register_model(str(directory / "model"), NAME)
    assert str(version.version) == "2", version
    versions = sorted(int(v.version) for v in client.search_model_versions(f"name='{NAME}'"))
    assert versions == [1, 2], versions
    assert NAME in [model.name for model in client.search_registered_models()]


def changes_tags_and_descriptions():
    assert client.get_model_version_download_uri(NAME, "2").endswith("/2")
    client.set_model_version_tag(NAME, "2", "stage", "dev")
    client.delete_model_version_tag(NAME, "2", "stage")
    client.set_registered_model_tag(NAME, "team", "b")
    client.update_model_version(NAME, "2", description="second")
    client.update_registered_model(NAME, description="an echo")
    assert client.get_model_version(NAME, "2").description == "second"
    assert client.get_model_version(NAME, "2").tags == {}
    model = client.get_registered_model(NAME)
    assert model.tags == {"team": "b"} and model.description == "an echo" and model.aliases == {"champion": "1"}, model


def a_version_that_is_not_there_is_not_found():
    error = raised(lambda: client.get_model_version(NAME, "9"))
    assert error.error_code == "RESOURCE_DOES_NOT_EXIST" and "'9'" in str(error), error


def deletes_a_version_with_its_alias_and_the_model_with_its_versions():
    client.delete_registered_model_alias(NAME, "champion")
    client.set_registered_model_alias(NAME, "old", 2)
    client.delete_model_version(NAME, "2")
    assert client.get_registered_model(NAME).aliases == {}
    client.delete_registered_model(NAME)
    assert raised(lambda: client.get_model_version(NAME, "1")).error_code == "RESOURCE_DOES_NOT_EXIST"
    assert raised(lambda: client.get_registered_model(NAME)).error_code == "RESOURCE_DOES_NOT_EXIST"


failures = 0
for check in [
    saves_a_model,
    registers_a_model,
    does_not_register_it_twice,
    uploads_and_finalizes_a_version,
    downloads_what_was_uploaded,
    loads_it_by_alias,
    registers_by_the_short_way_too,
    changes_tags_and_descriptions,
    a_version_that_is_not_there_is_not_found,
    deletes_a_version_with_its_alias_and_the_model_with_its_versions,
]:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print(f"ok      {name}")
    except Exception as error:
        failures += 1
        print(f"FAILED  {name}: {type(error).__name__}: {error}")
sys.exit(1 if failures else 0)
