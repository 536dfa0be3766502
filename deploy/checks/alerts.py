"""Faults, one after the other, on a live broker with live services: the right alerts become pending, and no others.

The rules are the shipped ones, unchanged; only scrapes and evaluations come every two seconds. An alert is pending as
soon as its condition holds, so nothing waits for the times after which it would fire: those are the unit tests' matter,
as are OrderPipelineNoOrders (5 minutes without orders) and OrderPipelineQueueGrows (10 minutes of growth).
"""

import base64
import signal
import sys
import time

from scene import APPS, SCRAPE_SECONDS, free_ports, scene, wait_until

# Long enough for three scrapes and evaluations after the alert is there.
SETTLING = 4 * SCRAPE_SECONDS


def active(stage):
    """The alerts that are pending or firing, each with what it is about."""
    found = set()
    for alert in stage.prometheus("alerts")["alerts"]:
        labels = alert["labels"]
        about = labels.get("queue") or labels.get("app") or labels.get("job") or ""
        found.add((labels["alertname"], about))
    return found


def show(alerts):
    return ", ".join(sorted(f"{name} ({about})" if about else name for name, about in alerts)) or "none"


class Faults:
    def __init__(self, stage):
        self.stage = stage
        # Alerts whose window is longer than this check.
        self.lasting = set()
        self.done = 0

    def expect(self, fault, alerts, heal=None, lasting=False, heals=True):
        """Waits for the alerts, sees that no other comes, heals, and waits until they are gone."""
        wanted = self.lasting | alerts
        deadline = time.monotonic() + 90
        while active(self.stage) != wanted:
            surplus = active(self.stage) - wanted
            if surplus:
                sys.exit(f"PROBLEM {fault}: {show(surplus)} came too; expected {show(alerts)}")
            if time.monotonic() > deadline:
                sys.exit(f"PROBLEM {fault}: expected {show(alerts)}, and there is {show(active(self.stage))}")
            time.sleep(0.5)
        until = time.monotonic() + SETTLING
        while time.monotonic() < until:
            now = active(self.stage)
            if now != wanted:
                sys.exit(f"PROBLEM {fault}: {show(now ^ wanted)} came or went; expected {show(alerts)}")
            time.sleep(0.5)
        print(f"  {fault}: {show(alerts)}, and no other")
        self.done += 1
        if lasting:
            self.lasting |= alerts
        if heal:
            heal()
        if heals:
            wait_until(f"the alerts to go after: {fault}", lambda: active(self.stage) <= self.lasting, 120)


def publish(broker, exchange, key, body):
    answer = broker.api(
        "POST",
        f"exchanges/%2F/{exchange}/publish",
        {
            "properties": {"delivery_mode": 2},
            "routing_key": key,
            "payload": base64.b64encode(body).decode(),
            "payload_encoding": "base64",
        },
    )
    if not answer["routed"]:
        sys.exit(f"PROBLEM a message to {exchange or key} reached no queue")


def main():
    with scene() as stage:
        broker = stage.broker
        names = [
            "order-generator",
            "payment-service",
            "payment-service-2",
            "fulfillment-service",
            "notification-service",
        ]
        roles = {app: role for role, app in APPS.items()}
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        running = {}

        def start(name, *arguments):
            app = name.removesuffix("-2")
            running[name] = stage.service(name, roles[app], ports[name], "--speed", "10", *arguments)
            stage.targets[ports[name]] = app

        def start_and_wait(name, *arguments):
            start(name, *arguments)
            stage.wait_ready(running[name], ports[name])
            stage.write_targets()

        def stop(name):
            # As Kubernetes does it: a pod that ends is no target any more.
            del stage.targets[ports[name]]
            stage.write_targets()
            here = f"127.0.0.1:{ports[name]}"
            wait_until(
                f"Prometheus to forget {name}",
                lambda: all(
                    target["labels"]["instance"] != here
                    for target in stage.prometheus("targets", state="active")["activeTargets"]
                ),
                60,
            )
            code = running[name].stop()
            if code != 0:
                sys.exit(f"PROBLEM {name} ended with {code}")

        for name in names:
            start(name)
        for name in names:
            stage.wait_ready(running[name], ports[name])
        stage.start_prometheus()
        wait_until(
            "orders in Prometheus",
            lambda: stage.prometheus("query", query="sum(orders_generated_total) > 3")["result"],
            60,
        )
        wait_until("Prometheus to know all targets", lambda: not active(stage), 60)
        faults = Faults(stage)
        faults.expect("no fault", set())

        running["payment-service"].signal(signal.SIGSTOP)
        faults.expect(
            "a service is frozen",
            {("OrderPipelineTargetDown", "payment-service")},
            lambda: running["payment-service"].signal(signal.SIGCONT),
        )

        broker.api("PUT", "queues/%2F/audit_queue", {"durable": True})
        broker.api("POST", "bindings/%2F/e/orders/q/audit_queue", {"routing_key": ""})
        faults.expect(
            "a queue has no consumer",
            {("OrderPipelineQueueWithoutConsumer", "audit_queue")},
            lambda: broker.api("DELETE", "queues/%2F/audit_queue"),
        )

        publish(broker, "amq.default", "payment_processor_queue", b"no order at all")
        faults.expect(
            "a message cannot be read",
            {("OrderPipelineDeadLetters", "payment_processor_queue.dlq")},
            lambda: broker.api("DELETE", "queues/%2F/payment_processor_queue.dlq/contents"),
        )

        broker.control("set_vm_memory_high_watermark", "0.00001")
        faults.expect(
            "the broker has a memory alarm",
            {("RabbitMQMemoryAlarm", "rabbitmq")},
            lambda: broker.control("set_vm_memory_high_watermark", "absolute", "320MiB"),
        )

        broker.control("set_disk_free_limit", "900000GB")
        faults.expect(
            "the broker has a disk alarm",
            {("RabbitMQDiskAlarm", "rabbitmq")},
            lambda: broker.control("set_disk_free_limit", "256MB"),
        )

        stop("fulfillment-service")
        faults.expect(
            "a service is scaled to nothing",
            {
                ("OrderPipelineServiceMissing", "fulfillment-service"),
                ("OrderPipelineQueueWithoutConsumer", "fulfillment_processor_queue"),
            },
            lambda: start_and_wait("fulfillment-service"),
        )

        broker.api("DELETE", "bindings/%2F/e/shipments/q/notifications_shipments_queue/~")
        faults.expect(
            "an exchange has lost its queue",
            {("OrderPipelinePublishesRefused", "fulfillment-service")},
            lambda: broker.api("POST", "bindings/%2F/e/shipments/q/notifications_shipments_queue", {"routing_key": ""}),
            lasting=True,
        )

        for name in ("payment-service", "payment-service-2"):
            stop(name)
            start_and_wait(name, "--success-rate", "0")
        faults.expect("payments fail", {("OrderPipelinePaymentSuccessLow", "")}, lasting=True)

        # The last one, since this broker does not come back.
        broker.server.stop()
        faults.expect(
            "the broker is gone",
            {("OrderPipelineTargetDown", "rabbitmq")} | {("OrderPipelineDisconnected", app) for app in roles},
            heals=False,
        )
        print(f"  {faults.done} scenes")
        sys.exit(0)


main()
