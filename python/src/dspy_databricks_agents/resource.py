"""Who is reporting: the agent, its version, and the platform it runs on, from the environment."""

from collections.abc import Mapping

from opentelemetry.sdk.resources import Resource

from dspy_databricks_agents.version import VERSION

# The first that is set counts.
NAME_VARIABLES = ("DSPY_ENDPOINT", "DATABRICKS_APP_NAME")
COMMIT_VARIABLES = ("GIT_COMMIT", "GIT_SHA", "GITHUB_SHA", "CI_COMMIT_SHA", "SOURCE_VERSION")
MODEL_SERVING_VARIABLES = ("IS_IN_DB_MODEL_SERVING_ENV", "IS_IN_DATABRICKS_MODEL_SERVING_ENV")


def resource_of(environment: Mapping[str, str], service_name: str | None = None) -> Resource:
    """`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` count as for any OpenTelemetry program."""
    if not service_name and not _names_service(environment):
        service_name = _first(environment, NAME_VARIABLES)
    told = {
        "service.name": service_name,
        "dspy.endpoint": environment.get("DSPY_ENDPOINT"),
        "dspy.model.version": environment.get("DSPY_MODEL_VERSION"),
        "dspy.platform": _platform(environment),
        "vcs.ref.head.revision": _first(environment, COMMIT_VARIABLES),
        "telemetry.distro.name": "dspy-databricks-agents",
        "telemetry.distro.version": VERSION,
    }
    return Resource.create({name: value for name, value in told.items() if value})


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _names_service(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )


def _platform(environment: Mapping[str, str]) -> str | None:
    serving = _first(environment, MODEL_SERVING_VARIABLES)
    if serving and serving.lower() == "true":
        return "databricks_model_serving"
    return "databricks_apps" if environment.get("DATABRICKS_APP_NAME") else None
