"""A model on loopback that speaks OpenAI's chat completions, and keeps a ledger of what it sent.

Words in the prompt make it misbehave: `#429 #429-once #401 #500 #context #notjson #hang #unparsable
#unparsable-once #drop`. Tokens are characters divided by four; a quarter of the input comes from
its prompt cache.
"""

import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_S = 1.5
CHUNK_PAUSE_S = 0.01
REFUSALS = {
    "#429": (429, {"message": "Rate limit reached", "code": "rate_limit_exceeded"}),
    "#401": (401, {"message": "Incorrect API key provided", "code": "invalid_api_key"}),
    "#500": (500, {"message": "The server had an error", "type": "server_error"}),
    "#context": (
        400,
        {
            "message": "This model's maximum context length is 8192 tokens.",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        },
    ),
}


@dataclass
class Ledger:
    """What the model did, as it knows it. Usage counts where it was delivered."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    refused: int = 0
    prompts: list[str] = field(default_factory=list)

    def add(self, usage: dict[str, Any]) -> None:
        self.input_tokens += usage["prompt_tokens"]
        self.output_tokens += usage["completion_tokens"]
        self.cached_tokens += usage["prompt_tokens_details"]["cached_tokens"]


class StubLm:
    def __init__(self) -> None:
        self.ledger = Ledger()
        self.tells_usage = True
        self._lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                try:
                    stub._answer(self, request)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, http: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        texts = [_text(message) for message in request["messages"]]
        prompt = texts[-1]
        with self._lock:
            self.ledger.requests += 1
            self.ledger.prompts.append("\n".join(texts))
            is_new = self.ledger.prompts.count(self.ledger.prompts[-1]) == 1
        for word, (status, error) in REFUSALS.items():
            if word in prompt and (is_new or "#429-once" not in prompt):
                with self._lock:
                    self.ledger.refused += 1
                _send(http, status, json.dumps({"error": error}).encode())
                return
        if "#hang" in prompt:
            time.sleep(HANG_S)
            http.close_connection = True
            return
        if "#notjson" in prompt:
            _send(http, 200, b"<html>bad gateway</html>", "text/html")
            return
        text = _completion(prompt)
        tokens = sum(map(len, texts)) // 4
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": max(1, len(text) // 4),
            "total_tokens": tokens + max(1, len(text) // 4),
            "prompt_tokens_details": {"cached_tokens": tokens // 4},
        }
        head = {"id": "chatcmpl-1", "created": 1, "model": request["model"]}
        if request.get("stream"):
            if _stream(http, head, text, usage, drops="#drop" in prompt):
                self._deliver(usage)
            return
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {**head, "object": "chat.completion", "choices": [choice]}
        if self.tells_usage:
            body["usage"] = usage
            self._deliver(usage)
        _send(http, 200, json.dumps(body).encode())

    def _deliver(self, usage: dict[str, Any]) -> None:
        with self._lock:
            self.ledger.add(usage)


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(p.get("text", "") for p in content)


def _completion(prompt: str) -> str:
    inputs, _, tail = prompt.rpartition("Respond with")
    wants_json = "JSON object" in tail
    if "#unparsable" in prompt and not ("#unparsable-once" in prompt and wants_json):
        return "I am sorry, but I cannot help with that."
    if wants_json:
        names = re.findall(r"`(\w+)`", tail)
        return json.dumps({name: _value(name, inputs) for name in names})
    names = [name for name in re.findall(r"\[\[ ## (\w+) ## \]\]", tail) if name != "completed"]
    parts = []
    for name in names:
        value = _value(name, inputs)
        parts.append(
            f"[[ ## {name} ## ]]\n{value if isinstance(value, str) else json.dumps(value)}"
        )
    return "\n\n".join([*parts, "[[ ## completed ## ]]"])


def _value(name: str, inputs: str) -> Any:
    if not name.startswith("next_"):
        return {"score": 0.5}.get(name, f"the {name} of the model, in a few words")
    step = len(re.findall(r"\[\[ ## observation_\d+ ## \]\]", inputs))
    plan = re.findall(r"use (\w+)", inputs.partition("[[ ## trajectory ## ]]")[0]) or ["look_up"]
    tool = "look_up" if "#endless" in inputs else [*plan, "finish"][min(step, len(plan))]
    arguments = {} if tool == "finish" else {"key": "k1"}
    return {"next_thought": "on", "next_tool_name": tool, "next_tool_args": arguments}[name]


def _send(http: Any, status: int, body: bytes, content_type: str = "application/json") -> None:
    http.send_response(status)
    http.send_header("content-type", content_type)
    http.send_header("content-length", str(len(body)))
    http.end_headers()
    http.wfile.write(body)


def _stream(http: Any, head: dict[str, Any], text: str, usage: dict[str, Any], drops: bool) -> bool:
    http.send_response(200)
    http.send_header("content-type", "text/event-stream")
    http.send_header("connection", "close")
    http.end_headers()
    http.close_connection = True

    def event(**fields: Any) -> None:
        body = json.dumps({**head, "object": "chat.completion.chunk", **fields}).encode()
        http.wfile.write(b"data: " + body + b"\n\n")
        http.wfile.flush()

    pieces = re.findall(r"\s*\S+", text)
    for number, piece in enumerate(pieces):
        if drops and number > len(pieces) / 2:
            return False
        delta = {"role": "assistant", "content": piece}
        event(choices=[{"index": 0, "delta": delta, "finish_reason": None}])
        time.sleep(CHUNK_PAUSE_S)
    event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    event(choices=[], usage=usage)
    http.wfile.write(b"data: [DONE]\n\n")
    return True
