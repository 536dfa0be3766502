"""Checks what a dashboard and a set of alerts promise on paper; `scripts/observe-check` checks them against live
systems.
"""

import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
problems = []


def check_dashboard():
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/order-pipeline.json").read_text())
    panels = dashboard["panels"]
    sections, section = {}, None
    for panel in panels:
        if panel["type"] == "row":
            section = sections.setdefault(panel["title"], [])
        else:
            section.append(panel)
    counts = {title: len(members) for title, members in sections.items()}
    if counts != {"RabbitMQ": 9, "Order pipeline": 13}:
        problems.append(f"the dashboard's sections have {counts} panels, not 9 and 13")
    if dashboard["title"] != "RabbitMQ & Order Pipeline" or dashboard["refresh"] != "10s":
        problems.append("the dashboard's title or refresh interval is another")
    if "__inputs" in dashboard or "id" in dashboard:
        problems.append("a provisioned dashboard has neither __inputs nor an id")
    if [v["type"] for v in dashboard["templating"]["list"]] != ["datasource"]:
        problems.append("the dashboard must have a variable for the data source, and no other")
    if len({panel["id"] for panel in panels}) != len(panels):
        problems.append("two panels have the same id")
    taken = {}
    for panel in panels:
        at = panel["gridPos"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if cell in taken or cell[0] > 23:
                problems.append(f"{panel['title']} lies over {taken.get(cell, 'the edge')}")
                break
            taken[cell] = panel["title"]
        expressions = [target["expr"] for target in panel.get("targets", [])]
        if panel["type"] != "row" and not expressions:
            problems.append(f"{panel['title']} asks for nothing")
        # A counter's sum drops when a pod restarts, so what happened in the time shown stands beside it.
        shows_total = any(
            re.match(r"sum( by \([a-z, ]+\) )?\([a-z_]+_total\)$", expression) for expression in expressions
        )
        if shows_total and not any("increase(" in e and "[$__range]" in e for e in expressions):
            problems.append(f"{panel['title']} shows a total without its increase over $__range")
    return sum(counts.values())


def check_runbook():
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules/order-pipeline.yml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    tests = (ROOT / "deploy/prometheus/tests/order-pipeline.yml").read_text()
    headings = set(re.findall(r"^#+ (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE))
    for alert in alerts:
        name = alert["alert"]
        if name not in headings:
            problems.append(f"docs/runbook.md has no section {name}")
        if alert["annotations"].get("runbook") != f"docs/runbook.md#{name.lower()}":
            problems.append(f"{name} does not point to its section of the runbook")
        if not {"summary", "description"} <= set(alert["annotations"]) or "severity" not in alert["labels"]:
            problems.append(f"{name} lacks a summary, a description or a severity")
        for wanted in ("fires", "stays quiet"):
            if f"name: {name} {wanted}" not in tests:
                problems.append(f"no unit test is named '{name} {wanted}'")
    for heading in headings:
        if re.match(r"(OrderPipeline|RabbitMQ)[A-Z]\w+$", heading) and heading not in {
            alert["alert"] for alert in alerts
        }:
            problems.append(f"docs/runbook.md has a section {heading}, and there is no such alert")
    return len(alerts)


panels, alerts = check_dashboard(), check_runbook()
for line in problems:
    print(f"PROBLEM {line}", file=sys.stderr)
print(f"  {panels} panels; {alerts} alerts, each with unit tests and a section in the runbook")
sys.exit(1 if problems else 0)
