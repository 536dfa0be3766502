"""A fault on a live system, and the alerts that it must bring: those and no others, until it is healed."""

import sys
import time

from scene import SCRAPE_SECONDS, wait_until

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


def settle(stage, what, allowed=frozenset()):
    """Waits until no alert but the allowed has been active for a few evaluations."""
    calm_since = time.monotonic()

    def calm():
        nonlocal calm_since
        if active(stage) - allowed:
            calm_since = time.monotonic()
        return time.monotonic() - calm_since > SETTLING

    wait_until(f"the alerts to go: {what}", calm, 120)


class Faults:
    def __init__(self, stage):
        self.stage = stage
        # Alerts whose window is longer than this check.
        self.lasting = set()
        self.done = 0

    def expect(self, fault, alerts, heal=None, lasting=False, heals=True):
        """Waits for the alerts, sees that no other comes, heals, and waits until they are gone."""
        wanted = self.lasting | alerts
        deadline = time.monotonic() + 150
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
            settle(self.stage, fault, self.lasting)
