"""The objects of the component messaging-topology are those that the services declare themselves.

A live broker gets them first, as RabbitMQ's operator would send them; then all services start, as in production, and
declare theirs: a difference in kind or argument would end them with exit code 78. In the end the broker must hold
nothing that was not among the objects.
"""

import sys

import yaml

from scene import ROOT, free_row, pipeline_program, scene

FOLDER = ROOT / "deploy/components/messaging-topology"


def objects(kind):
    documents = [d for file in FOLDER.glob("*.yaml") for d in yaml.safe_load_all(file.read_text())]
    return [document["spec"] for document in documents if document["kind"] == kind]


def declare(broker):
    for exchange in objects("Exchange"):
        body = {"type": exchange["type"], "durable": exchange["durable"], "auto_delete": exchange["autoDelete"]}
        broker.api("PUT", f"exchanges/%2F/{exchange['name']}", body)
    for queue in objects("Queue"):
        body = {
            "durable": queue["durable"],
            "auto_delete": queue["autoDelete"],
            "arguments": {"x-queue-type": queue["type"], **queue.get("arguments", {})},
        }
        broker.api("PUT", f"queues/%2F/{queue['name']}", body)
    for binding in objects("Binding"):
        broker.api("POST", f"bindings/%2F/e/{binding['source']}/q/{binding['destination']}", {"routing_key": ""})


def held(broker):
    """What the broker holds, as sets of words."""
    exchanges = {
        e["name"] for e in broker.api("GET", "exchanges/%2F") if e["name"] and not e["name"].startswith("amq.")
    }
    queues = {queue["name"] for queue in broker.api("GET", "queues/%2F")}
    bindings = {(b["source"], b["destination"]) for b in broker.api("GET", "bindings/%2F") if b["source"]}
    return exchanges, queues, bindings


def main():
    with scene() as stage:
        broker = stage.broker
        declare(broker)
        before = held(broker)
        counts = [len(found) for found in before]
        if counts != [len(objects(kind)) for kind in ("Exchange", "Queue", "Binding")]:
            sys.exit(f"PROBLEM the broker did not take all objects: {before}")
        base = free_row(4)
        environment = {**stage.environment(), "PIPELINE_QUEUE_TYPE": "quorum"}
        arguments = [
            pipeline_program(),
            "all",
            "--metrics-base-port",
            str(base),
            "--speed",
            "max",
            "--max-orders",
            "20",
            "--state-dir",
            str(stage.folder / "state"),
        ]
        pipeline = stage.start("pipeline", arguments, environment)
        code = pipeline.child.wait(120)
        if code != 0:
            sys.exit(f"PROBLEM the services do not agree with the objects (exit code {code}):\n{pipeline.tail()}")
        after = held(broker)
        surplus = [sorted(map(str, found - known)) for found, known in zip(after, before, strict=True)]
        if any(surplus):
            sys.exit(f"PROBLEM the services declare what no object says: {surplus}")
        print(f"  {counts[0]} exchanges, {counts[1]} queues and {counts[2]} bindings are what the services declare")
        sys.exit(0)


main()
