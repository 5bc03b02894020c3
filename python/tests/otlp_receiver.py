"""An OTLP receiver on loopback that reads what arrives, and can be told to refuse."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class OtlpReceiver:
    def __init__(self, port: int = 0) -> None:
        self.status = 200
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.posts = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.posts += 1
                if receiver.status == 200 and self.path == "/v1/traces":
                    receiver.headers.append({k.lower(): v for k, v in self.headers.items()})
                    if self.headers.get("content-encoding") == "gzip":
                        body = gzip.decompress(body)
                    receiver.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        for of_resource in request.resource_spans:
            attributes = of_resource.resource.attributes
            self.resources.append({a.key: a.value.string_value for a in attributes})
            for of_scope in of_resource.scope_spans:
                self.spans.extend(of_scope.spans)

    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
