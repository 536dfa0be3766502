"""Looks at the dashboard of a run, step by step with the test that runs it.

Usage: dashboard.py URL CHROMIUM. It writes a word when a step is done, and reads a line before it goes on.
"""

import json
import sys
from urllib.parse import urlsplit

from browser import Browser

QUEUES = ["payment_processor_queue", "fulfillment_processor_queue", "notifications_orders_queue",
          "notifications_payments_queue", "notifications_shipments_queue"]
REASONS = ["Insufficient funds", "Card expired", "Fraud detected", "Network error"]


def done(word):
    print(word, flush=True)
    sys.stdin.readline()


def expect(is_so, what):
    if not is_so:
        sys.exit(f"not so: {what}")


def texts(page, selector):
    return page.value(f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.innerText)")


def sees_the_run(page):
    page.wait("the connections", lambda: page.text("#link") == "Live" and "Broker up at 127.0.0.1:" in page.text("#broker"))
    page.wait("a shipped order", lambda: any("TRACK-" in row for row in texts(page, "#order-rows tr")))
    page.wait("a declined order", lambda: any(
        reason in row for row in texts(page, "#order-rows tr") for reason in REASONS))
    page.wait("a count of reasons", lambda: sum(map(int, texts(page, "#reasons b"))) > 0)
    expect(texts(page, "#reasons span") == REASONS, "the known reasons, and no other")
    for queue in QUEUES:
        node = f'[data-queue="{queue}"]'
        page.wait(f"the depth of {queue}", lambda: page.text(node + " .big").replace(",", "").isdigit())
        consumers = "2 consumers" if queue == "payment_processor_queue" else "1 consumer"
        page.wait(f"the consumers of {queue}", lambda: page.text(node + " .consumers") == consumers)
    page.wait("rates", lambda: page.value("document.querySelectorAll('.arrow.on').length") == 13)
    page.wait("numbers", lambda: all(
        page.text(number).replace(",", "").isdigit() for number in ["#orders", "#open", "#shipped", "#notices", "#dead"]))
    page.wait("a success rate", lambda: page.text("#success").endswith(" %"))


def sees_strangers_words_as_words(page):
    page.wait("a stranger's order", lambda: any("<img src=x onerror=" in row for row in texts(page, "#order-rows tr")))
    page.wait("a dead letter", lambda: any("<script>" in letter for letter in texts(page, "#letters li")))
    page.wait("its count", lambda: page.text('[data-queue="notifications_payments_queue"] .letters') == "1 dead letter")
    expect(page.value("document.images.length") == 0, "no image was made")
    expect(page.value("document.scripts.length") == 1, "no script was made")
    expect(page.value("window.hacked === undefined"), "no script of a stranger's ran")


def fits_its_window(page):
    for width, height in [
            (360, 740), (390, 844), (600, 900), (768, 1024), (1000, 800), (1001, 800), (1280, 800),
            (1281, 800), (1440, 900), (2200, 1200)]:
        for scheme in ["light", "dark"]:
            page.show(width, height, scheme=scheme)
            wide = page.value("document.documentElement.scrollWidth")
            expect(wide <= width, f"nothing is wider than {width} pixels: {wide}")
            # What is cut off within its own box would not make the page wider.
            cut = page.value(
                "[...document.querySelectorAll('.node span, td, dd, dt, .pill')]"
                ".filter((node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline')"
                ".map((node) => node.innerText)")
            expect(not cut, f"at {width} pixels this is cut off: {cut}")


def keeps_to_itself(page, url):
    expect(page.console == [], f"the console is empty: {page.console}")
    origin = urlsplit(url).netloc
    others = [request for request in page.requests
              if urlsplit(request).netloc != origin and urlsplit(request).scheme not in ("data", "about")]
    expect(not others, f"nobody else is asked: {others}")
    expect(len(page.requests) < 10, f"nothing is asked again and again: {page.requests}")


def main(url, chromium):
    with Browser(chromium) as page:
        page.show(1440, 900)
        page.open(url)
        sees_the_run(page)
        done("running")
        sees_strangers_words_as_words(page)
        fits_its_window(page)
        keeps_to_itself(page, url)
        done("seen")
        page.wait("the loss of the broker", lambda: page.text("#broker").startswith("Broker away"))
        expect("The broker does not answer" in page.text("#banner"), "why")
        expect(page.text("#link") == "Live", "the page still hears of the run")
        page.wait("queues that are not known", lambda: all(
            page.text(f'[data-queue="{queue}"] .big') == "–" for queue in QUEUES))
        page.wait("services without connection", lambda: page.value(
            "document.querySelectorAll('.service.cut').length") == 6)
        done("away")
        page.wait("the broker again", lambda: page.text("#broker").startswith("Broker up"), 60)
        page.wait("services with their connections", lambda: page.value(
            "document.querySelectorAll('.service.cut').length") == 0, 60)
        expect(page.text("#banner") == "", "no complaint any more")
        keeps_to_itself(page, url)
        done("back")
        page.wait("the end", lambda: page.text("#link") == "The run has ended")
        expect("What is shown is of" in page.text("#banner"), "how old it is")
        expect(page.value("document.querySelectorAll('#order-rows tr').length") > 0, "the last state stays")


if __name__ == "__main__":
    main(*sys.argv[1:])
