"""Alerts that look back for minutes, on a live broker with live services, with a derived copy of the rules.

In the copy every range is a fifteenth of the shipped one (5 minutes are 20 seconds); all else is as shipped. The ranges
themselves are the unit tests' matter.
"""

import re
import sys

from faults import Faults, settle
from scene import APPS, ROOT, free_ports, scene, wait_until

SHORTER = 15


def derived_rules(folder):
    text = (ROOT / "deploy/prometheus/rules/order-pipeline.yml").read_text()
    text, count = re.subn(r"\[(\d+)m\]", lambda match: f"[{int(match[1]) * 60 // SHORTER}s]", text)
    if count == 0:
        sys.exit("PROBLEM the rules have no ranges in minutes; SHORTER does nothing")
    rules = folder / "rules.yml"
    rules.write_text(text)
    return rules


def main():
    with scene() as stage:
        ports = dict(zip(APPS, free_ports(len(APPS)), strict=True))
        stage.targets = {port: APPS[role] for role, port in ports.items()}
        running = {}

        def start(role, *arguments):
            running[role] = stage.service(APPS[role], role, ports[role], *arguments)
            stage.wait_ready(running[role], ports[role])

        def restart(role, *arguments):
            stage.leave_out(ports[role])
            code = running[role].stop()
            if code != 0:
                sys.exit(f"PROBLEM {role} ended with {code}")
            start(role, *arguments)
            stage.take_in(ports[role], APPS[role])

        for role in APPS:
            start(role, "--speed", "20")
        stage.start_prometheus(derived_rules(stage.folder))
        orders = "sum(increase(orders_generated_total[20s])) > 3"
        wait_until("orders in Prometheus", lambda: stage.prometheus("query", query=orders)["result"], 60)
        settle(stage, "the start")
        faults = Faults(stage)

        restart("generator", "--interval", "3600-3600")
        settle(stage, "a new generator")
        faults.expect(
            "the generator makes no orders",
            {("OrderPipelineNoOrders", "")},
            lambda: restart("generator", "--speed", "20"),
        )

        restart("payment", "--speed", "max")
        restart("fulfillment", "--speed", "0.5")
        too_slow = {("OrderPipelineQueueGrows", "fulfillment_processor_queue")}
        settle(stage, "new services", too_slow)
        faults.expect(
            "fulfilment is too slow",
            too_slow,
            lambda: restart("fulfillment", "--speed", "max"),
        )
        print(f"  {faults.done} scenes, ranges a fifteenth of the shipped ones")
        sys.exit(0)


main()
