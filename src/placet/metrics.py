"""Prometheus metrics: what the record did, what the deadlines and webhooks did, how long requests took."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One registry for one application, so that tests can hold several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.entries = Counter("placet_entries", "Entries appended to the record.", ["kind"], registry=self.registry)
        self.requests = Counter("placet_requests", "HTTP requests.", ["method", "status"], registry=self.registry)
        self.seconds = Histogram("placet_request_seconds", "Time to answer.", buckets=_SECONDS, registry=self.registry)
        self.deadlines = Counter("placet_deadlines", "Deadlines fired.", ["kind"], registry=self.registry)
        self.late = Gauge("placet_deadline_lag_seconds", "How late the latest deadline fired.", registry=self.registry)
        self.deliveries = Counter("placet_deliveries", "Webhook attempts.", ["result"], registry=self.registry)
        self.size = Gauge("placet_ledger_size", "Entries under the latest signed head.", registry=self.registry)
        self.halted = Gauge("placet_ledger_halted", "1 when the signer has stopped.", registry=self.registry)
        self.waiting = Gauge("placet_queue", "Items that wait for a person.", ["queue"], registry=self.registry)
        self.overdue = Gauge("placet_queue_overdue", "Held items past their limit.", registry=self.registry)
        self.detector_texts = Counter(
            "placet_detector_texts", "Texts asked about.", ["detector", "result"], registry=self.registry
        )
        self.detector_seconds = Histogram(
            "placet_detector_seconds", "Time of a call.", ["detector"], buckets=_SECONDS, registry=self.registry
        )
        self.detector_paused = Gauge(
            "placet_detector_paused", "1 while taken out.", ["detector"], registry=self.registry
        )

        self.rules_paused = Gauge(
            "placet_rules_paused",
            "Rules out of effect: they hit far beyond their history.",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
