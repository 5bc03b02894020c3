"""
A neutral OTLP receiver: decodes what it gets with OpenTelemetry's own library, the
generated protobuf classes, and prints it as one line of JSON per request.
"""
import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Sink(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        is_traces = self.path.endswith("/traces")
        request = ExportTraceServiceRequest() if is_traces else ExportMetricsServiceRequest()
        request.ParseFromString(body)
        told = {
            "path": self.path,
            "authorization": self.headers.get("authorization"),
            "contentType": self.headers.get("content-type"),
            "request": MessageToDict(request),
        }
        print(json.dumps(told), flush=True)
        answer = ExportTraceServiceResponse() if is_traces else ExportMetricsServiceResponse()
        if is_traces and self.headers.get("x-reject"):
            answer.partial_success.rejected_spans = 1
            answer.partial_success.error_message = "one too many"
        elif self.headers.get("x-reject"):
            answer.partial_success.rejected_data_points = 300
            answer.partial_success.error_message = "too many"
        payload = answer.SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
