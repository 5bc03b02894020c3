"""Loads models that the deployer wrote with real MLflow, and prints what they answer as JSON.

    python model-directory.py RECORD_FOLDER NAME=DIRECTORY…    one question to each, plain and streamed
    python model-directory.py RECORD_FOLDER                    only the model server, until stdin ends
"""

import json
import os
import sys

record, *models = sys.argv[1:]
sys.path.insert(0, record)
from stub_lm import StubLm  # noqa: E402

stub = StubLm()
stub.behaviour.latency_s = (0, 0.001)
print(stub.url, flush=True)
if not models:
    sys.stdin.read()
    sys.exit()

os.environ.update(OPENAI_BASE_URL=stub.url, OPENAI_API_KEY="x", OTEL_TRACES_EXPORTER="none")
import mlflow  # noqa: E402
from mlflow.types import responses  # noqa: E402

answers = {
    "signature": {
        "inputs": responses.RESPONSES_AGENT_INPUT_SCHEMA.to_dict(),
        "outputs": responses.RESPONSES_AGENT_OUTPUT_SCHEMA.to_dict(),
    }
}
question, *_ = ["How do I return a laptop, and where is order A-1001?"]
for named in models:
    name, directory = named.split("=", 1)
    model = mlflow.pyfunc.load_model(directory)
    asked = {"input": [{"role": "user", "content": question}]}
    told = {"metadata": model.metadata.metadata, "answer": model.predict(asked)}
    fresh = {"input": [{"role": "user", "content": question + " Please."}]}
    told["events"] = [dict(event) for event in model.predict_stream(fresh)]
    try:
        model.predict({**asked, "custom_inputs": {"nothing": 1}})
    except Exception as error:
        told["refused"] = str(error)
    answers[name] = told
    # Each is a process of its own when it is served; here the next one has modules of the same name.
    for module in ("agent",):
        sys.modules.pop(module, None)
    sys.path[:] = [path for path in sys.path if not path.startswith(directory)]
print("JSON" + json.dumps(answers, default=str))
