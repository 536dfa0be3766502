"""Every panel of the dashboard, and every rule, against a live Prometheus that scrapes a live broker and live services.

Each expression is taken from the shipped JSON and must give numbers, with a value for every label that its legend or
its grouping names, and for the labels below exactly the values that there are.
"""

import json
import math
import re
import sys
import time

from scene import APPS, ROOT, SCRAPE_SECONDS, free_row, pipeline_program, scene

QUEUES = {
    "payment_processor_queue",
    "fulfillment_processor_queue",
    "notifications_orders_queue",
    "notifications_payments_queue",
    "notifications_shipments_queue",
}
# By panel: the label, and the values that must be there.
EXPECTED = {
    "Depth by queue": ("queue", QUEUES | {queue + ".dlq" for queue in QUEUES}),
    "Payments per second by status": ("status", {"success", "failed"}),
    "Amounts by status": ("status", {"success", "failed"}),
    "Notifications by type": (
        "type",
        {"order_confirmation", "payment_success", "payment_failed", "shipment_notification"},
    ),
    "Notifications per second by type and topic": ("topic", {"orders", "payments", "shipments"}),
}


def substituted(expression):
    # What Grafana puts in: four scrape intervals, and the time shown.
    return expression.replace("$__rate_interval", f"{4 * SCRAPE_SECONDS}s").replace("$__range", "1m")


def fault_of(stage, panel, target):
    """What is wrong with the answer to a panel's expression; None if nothing is."""
    samples = stage.prometheus("query", query=substituted(target["expr"]))["result"]
    numbers = [sample for sample in samples if math.isfinite(float(sample["value"][1]))]
    if not numbers:
        return f"no numbers ({len(samples)} series)"
    labels = set(re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"]))
    for grouping in re.findall(r"by \(([a-z_, ]+)\)", target["expr"]):
        labels |= {label.strip() for label in grouping.split(",")} - {"le"}
    for label in labels:
        if any(not sample["metric"].get(label) for sample in numbers):
            return f"a series lacks the label {label}"
    if panel["title"] in EXPECTED:
        label, wanted = EXPECTED[panel["title"]]
        missing = wanted - {sample["metric"].get(label) for sample in numbers}
        if missing:
            return f"no series for {label} {', '.join(sorted(missing))}"
    if not labels and len(numbers) != 1:
        return f"{len(numbers)} series where one is shown"
    return None


def main():
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/order-pipeline.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    with scene() as stage:
        base = free_row(4)
        pipeline = stage.start(
            "pipeline",
            [
                pipeline_program(),
                "all",
                "--metrics-base-port",
                str(base),
                "--speed",
                "10",
                "--success-rate",
                "0.6",
                "--state-dir",
                str(stage.folder / "state"),
            ],
        )
        for offset in range(4):
            stage.wait_ready(pipeline, base + offset)
        stage.targets = {base + offset: app for offset, app in enumerate(APPS.values())}
        stage.start_prometheus()

        faults = {}

        def all_well():
            faults.clear()
            for panel in panels:
                for target in panel["targets"]:
                    fault = fault_of(stage, panel, target)
                    if fault:
                        faults[f"{panel['title']} ({target['refId']})"] = f"{fault}: {substituted(target['expr'])}"
            return not faults

        began = time.monotonic()
        while not all_well() and time.monotonic() - began < 90:
            time.sleep(1)
        for title, fault in faults.items():
            print(f"PROBLEM {title}: {fault}", file=sys.stderr)
        # A check that a misspelled metric passes would say nothing about the others.
        wrong = {"expr": "sum(orders_generatd_total)", "legendFormat": "", "refId": "A"}
        if fault_of(stage, {"title": "misspelled"}, wrong) is None:
            sys.exit("PROBLEM a misspelled metric goes unnoticed")
        asked = sum(len(panel["targets"]) for panel in panels)
        print(f"  {len(panels)} panels, {asked} expressions: {asked - len(faults)} give data with their labels")

        # Rules are evaluated, and record something once their turn has come; what they record needs a few scrapes.
        rules, sick, records, empty = [], [], [], []

        def all_recorded():
            rules[:] = [rule for group in stage.prometheus("rules")["groups"] for rule in group["rules"]]
            sick[:] = [
                f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}"
                for rule in rules
                if rule["health"] != "ok"
            ]
            records[:] = [rule["name"] for rule in rules if rule["type"] == "recording"]
            empty[:] = [name for name in records if not stage.prometheus("query", query=name)["result"]]
            return rules and not sick and not empty

        began = time.monotonic()
        while not all_recorded() and time.monotonic() - began < 90:
            time.sleep(1)
        for name in sick + [f"{name} records nothing" for name in empty]:
            print(f"PROBLEM rule {name}", file=sys.stderr)
        print(f"  {len(rules)} rules are evaluated, {len(records)} of them recorded")
        if "is no setting" in pipeline.output.read_text():
            sys.exit("PROBLEM the ConfigMap has a line that pipeline-run does not know")
        code = pipeline.stop()
        if code != 0:
            sys.exit(f"PROBLEM pipeline-run ended with {code}:\n{pipeline.tail()}")
        sys.exit(1 if faults or sick or empty or not rules else 0)


main()
