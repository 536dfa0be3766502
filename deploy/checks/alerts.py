"""Faults, one after the other, on a live broker with live services: the right alerts become pending, and no others.

The rules are the shipped ones, unchanged; only scrapes and evaluations come every two seconds. An alert is pending as
soon as its condition holds, so nothing waits for the times after which it would fire: those are the unit tests' matter.
What looks back for minutes before it holds is seen by windows.py.
"""

import base64
import signal
import sys

from faults import Faults, active
from scene import APPS, free_ports, scene, wait_until


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
            stage.take_in(ports[name], name.removesuffix("-2"))

        def stop(name):
            stage.leave_out(ports[name])
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
