"""The pipeline's four roles on pika: blocking connections, prefetch 1, manual acknowledgment, no confirms, no waits."""

import bisect
import json
import os
import platform
import resource
import signal
import sys
import threading
import time
import traceback
import zlib

import pika

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
QUEUES = {
    "payment_processor_queue": "orders", "notifications_orders_queue": "orders",
    "fulfillment_processor_queue": "payments", "notifications_payments_queue": "payments",
    "notifications_shipments_queue": "shipments",
}
PRODUCTS = [
    ("Laptop Pro 15", 1299.99), ("Wireless Mouse", 29.99), ("Mechanical Keyboard", 89.99), ("4K Monitor", 449.0),
    ("USB-C Hub", 49.5), ("Headset", 119.0), ("Webcam", 69.9), ("Desk Lamp", 35.0),
]
CUSTOMERS = [f"{name}@example.com" for name in ("alice", "bob", "carol", "diana", "erik", "fay")]
METHODS = ["credit_card", "paypal", "bank_transfer"]
REASONS = ["insufficient_funds", "card_expired", "fraud_detected", "network_error"]
CARRIERS = ["DHL", "FedEx", "UPS", "USPS"]


def draw(order_id, purpose):
    """A number that depends on the order alone, as a repeated message has to have the same outcome."""
    return zlib.crc32(f"{purpose}-{order_id}".encode())


def now_text(seconds=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class Report:
    """What a role did, for the line that it ends with."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts = {}
        self._successes = self._first = self._last = self._cpu = 0
        self._latencies = [0] * (len(BOUNDS) + 1)
        self._latency_sum = 0.0

    def begin(self):
        self._first = time.monotonic_ns()
        self._cpu = self._cpu_ns()

    def effect(self, exchange, order_time_ms, success=False):
        latency = max(0.0, time.time() - order_time_ms / 1000)
        with self._lock:
            self._counts[exchange] = self._counts.get(exchange, 0) + 1
            self._successes += success
            self._latencies[bisect.bisect_left(BOUNDS, latency)] += 1
            self._latency_sum += latency
            self._last = time.monotonic_ns()

    def print(self):
        print(json.dumps({
            "counts": self._counts, "successes": self._successes, "first_ns": self._first, "last_ns": self._last,
            "cpu_ns": self._cpu_ns() - self._cpu, "bounds": BOUNDS, "latencies": self._latencies,
            "latency_sum": self._latency_sum}), flush=True)

    @staticmethod
    def _cpu_ns():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return int((usage.ru_utime + usage.ru_stime) * 1e9)


def connect():
    connection = pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", int(os.environ["BENCH_PORT"]), heartbeat=600))
    channel = connection.channel()
    for exchange in sorted(set(QUEUES.values())):
        channel.exchange_declare(exchange, "fanout", durable=True)
    for queue, exchange in QUEUES.items():
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, exchange)
    return connection, channel


def publish(channel, exchange, event, order_time_ms):
    properties = pika.BasicProperties(
        content_type="application/json", delivery_mode=2, headers={"x-order-time": order_time_ms})
    channel.basic_publish(exchange, "", json.dumps(event).encode(), properties)


def generate(report):
    connection, channel = connect()
    interval = float(os.environ["BENCH_INTERVAL"])
    report.begin()
    for order_id in range(1, int(os.environ["BENCH_COUNT"]) + 1):
        items = []
        for number in range(draw(order_id, "items") % 3 + 1):
            index = draw(order_id, f"product{number}") % len(PRODUCTS)
            name, price = PRODUCTS[index]
            items.append({
                "product_id": index + 1, "name": name, "price": price,
                "quantity": draw(order_id, f"quantity{number}") % 3 + 1})
        order_time = int(time.time() * 1000)
        publish(channel, "orders", {
            "order_id": order_id, "customer_email": CUSTOMERS[draw(order_id, "customer") % len(CUSTOMERS)],
            "items": items, "total_amount": round(sum(item["price"] * item["quantity"] for item in items), 2),
            "currency": "EUR", "timestamp": now_text(), "status": "pending"}, order_time)
        report.effect("orders", order_time)
        if interval:
            connection.sleep(interval)
    connection.close()


def process_payment(channel, order, order_time):
    order_id = order["order_id"]
    success = draw(order_id, "payment") % 100 < 90
    publish(channel, "payments", {
        "order_id": order_id, "customer_email": order["customer_email"], "amount": order["total_amount"],
        "currency": order["currency"], "status": "success" if success else "failed",
        "payment_method": METHODS[draw(order_id, "method") % len(METHODS)],
        "transaction_id": f"TXN-{order_id}-{int(time.time())}", "timestamp": now_text(), "processing_time": 0.0,
        "failure_reason": None if success else REASONS[draw(order_id, "reason") % len(REASONS)]}, order_time)
    return success


def create_shipment(channel, payment, order_time):
    if payment["status"] != "success":
        return None
    order_id = payment["order_id"]
    publish(channel, "shipments", {
        "order_id": order_id, "customer_email": payment["customer_email"],
        "tracking_number": f"TRACK-{order_id}-{int(time.time())}",
        "carrier": CARRIERS[draw(order_id, "carrier") % len(CARRIERS)],
        "estimated_delivery": now_text(86_400 * (draw(order_id, "days") % 6 + 2)), "status": "shipped",
        "timestamp": now_text()}, order_time)
    return True


def order_notice(_, order, __):
    return bool(f"Order #{order['order_id']} received - Total: €{order['total_amount']}")


def payment_notice(_, payment, __):
    if payment["status"] == "success":
        return bool(f"Payment successful for order #{payment['order_id']}")
    return bool(f"Payment failed for order #{payment['order_id']}: {payment['failure_reason']}")


def shipment_notice(_, shipment, __):
    return bool(f"Order #{shipment['order_id']} shipped - Tracking: {shipment['tracking_number']}")


ROLES = {
    "payment": {"payment_processor_queue": process_payment},
    "fulfillment": {"fulfillment_processor_queue": create_shipment},
    "notification": {
        "notifications_orders_queue": order_notice, "notifications_payments_queue": payment_notice,
        "notifications_shipments_queue": shipment_notice,
    },
}


def consume(queue, handle, report, stop):
    """Until `stop` is set; then the message in hand is done and settled."""
    connection, channel = connect()
    channel.basic_qos(prefetch_count=1)

    def on_message(channel, method, properties, body):
        order_time = properties.headers["x-order-time"]
        success = handle(channel, json.loads(body), order_time)
        if success is not None:
            report.effect(QUEUES[queue], order_time, success)
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, on_message)
    stop.append(lambda: connection.add_callback_threadsafe(channel.stop_consuming))
    channel.start_consuming()
    connection.close()


def end_with(failure):
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    os._exit(1)


def serve(role, report):
    stop = []
    threading.excepthook = end_with
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threads = [
        threading.Thread(target=consume, args=(queue, handle, report, stop)) for queue, handle in ROLES[role].items()]
    report.begin()
    for thread in threads:
        thread.start()
    signal.sigwait([signal.SIGTERM])
    for each in stop:
        each()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    if sys.argv[1:] == ["version"]:
        print(f"pika {pika.__version__} (CPython {platform.python_version()})")
    else:
        # Whatever becomes of the driver, this process does not stay.
        signal.alarm(160)
        report = Report()
        generate(report) if sys.argv[1] == "generator" else serve(sys.argv[1], report)
        report.print()
