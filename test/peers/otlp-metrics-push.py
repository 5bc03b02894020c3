"""A service that is not ours: OpenTelemetry's own SDK pushes metrics to the address that is given."""
import sys

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

url, service, temporality, compression = sys.argv[1:]

delta = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
exporter = OTLPMetricExporter(
    endpoint=f"{url}/v1/metrics",
    compression=Compression(compression),
    preferred_temporality=delta if temporality == "delta" else None,
)
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
provider = MeterProvider(
    metric_readers=[reader],
    resource=Resource.create({"service.name": service, "service.instance.id": "one"}),
    views=[View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())],
)
meter = provider.get_meter("peer")

counter = meter.create_counter("jobs", unit="1")
changes = meter.create_up_down_counter("queue")
duration = meter.create_histogram(
    "duration", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1, 10]
)
size = meter.create_histogram("size")
meter.create_observable_gauge("temperature", [lambda _: [Observation(21.5, {"room": 'a "b"\n'})]])

for turn in range(3):
    counter.add(2, {"kind": "good", "weight": 7, "cached": True})
    changes.add(5)
    changes.add(-3)
    for seconds in (0.05, 0.5, 0.5, 5):
        duration.record(seconds, {"route": "/ask"})
    size.record(100)
    if not provider.force_flush():
        sys.exit("the push was not taken")
provider.shutdown()
