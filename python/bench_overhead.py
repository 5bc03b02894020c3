"""What telemetry costs per LM call: DSPy alone, with this package, and with OpenInference.

    python bench_overhead.py

One call is a `dspy.Predict` with a model in process that answers at once: a module, a model call
and the reading of its answer, three spans. They are really sent, to a receiver in another process.
Each variant runs in processes of its own, in turn. Of each process the fastest block of calls
counts, since others share the machine, and of the rounds the median. OpenInference is measured
where it is installed.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

BLOCKS = 10
BLOCK_CALLS = 400
WARM_UP_CALLS = 300
ROUNDS = 7
FOLDER = Path(__file__).parent

RECEIVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def start_telemetry(variant: str, url: str) -> None:
    if variant == "empty callback":
        import dspy

        dspy.configure(callbacks=[dspy.utils.BaseCallback()])
    elif variant == "this package":
        import dspy_databricks_agents

        dspy_databricks_agents.instrument(endpoint=url)
    elif variant == "OpenInference":
        from openinference.instrumentation.dspy import DSPyInstrumentor
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        DSPyInstrumentor().instrument(tracer_provider=provider)


def run_variant(variant: str, url: str) -> None:
    """Prints microseconds per call: as a caller waits, and of processor time of all threads."""
    warnings.filterwarnings("ignore")
    import dspy

    class Reply(dict):
        __getattr__ = dict.get

    class InstantLm(dspy.BaseLM):
        def forward(self, prompt=None, messages=None, **kwargs):  # noqa: ANN001, ANN003, ANN202
            text = "[[ ## answer ## ]]\nthe answer\n\n[[ ## completed ## ]]"
            message = Reply(content=text, tool_calls=None, reasoning_content=None)
            choice = Reply(index=0, finish_reason="stop", message=message)
            usage = {"prompt_tokens": 263, "completion_tokens": 57, "total_tokens": 320}
            cost = {"response_cost": 0.0001}
            return Reply(choices=[choice], usage=usage, model="instant", _hidden_params=cost)

    start_telemetry(variant, url)
    dspy.configure(lm=InstantLm("instant", cache=False), max_history_size=100)
    predict = dspy.Predict("question -> answer")

    def call(times: int) -> tuple[float, float]:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        for number in range(times):
            predict(question=f"question {number}")
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        return wall_s / times * 1e6, cpu_s / times * 1e6

    call(WARM_UP_CALLS)
    blocks = [call(BLOCK_CALLS) for _ in range(BLOCKS)]
    wall_us, cpu_us = (min(values) for values in zip(*blocks, strict=True))
    print(json.dumps({"wall_us": wall_us, "cpu_us": cpu_us}))


def measure(variant: str, url: str) -> dict[str, float]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(FOLDER / "src"),
        "DSPY_CACHEDIR": tempfile.gettempdir() + "/dspy-bench-cache",
    }
    command = [sys.executable, __file__, "--variant", variant, "--url", url]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant")
    parser.add_argument("--url")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    if arguments.variant:
        run_variant(arguments.variant, arguments.url)
        return

    variants = ["DSPy alone", "empty callback", "this package"]
    try:
        if importlib.util.find_spec("openinference.instrumentation.dspy"):
            variants.append("OpenInference")
    except ModuleNotFoundError:
        pass
    receiver = subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True)
    try:
        assert receiver.stdout is not None
        url = f"http://127.0.0.1:{receiver.stdout.readline().strip()}"
        rounds = [{v: measure(v, url) for v in variants} for _ in range(arguments.rounds)]
    finally:
        receiver.terminate()
        receiver.wait()

    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()},")
    print(f"dspy {importlib.metadata.version('dspy')}, {len(rounds)} rounds")
    print(f"{'':16} {'µs per call':>12} {'added':>8} {'CPU µs':>8} {'added':>8}")
    alone = rounds[0][variants[0]]
    for variant in variants:
        wall = statistics.median(r[variant]["wall_us"] for r in rounds)
        cpu = statistics.median(r[variant]["cpu_us"] for r in rounds)
        if variant == variants[0]:
            alone = {"wall_us": wall, "cpu_us": cpu}
        added, added_cpu = wall - alone["wall_us"], cpu - alone["cpu_us"]
        print(f"{variant:16} {wall:12.0f} {added:8.0f} {cpu:8.0f} {added_cpu:8.0f}")


main()
