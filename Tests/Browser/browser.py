"""A headless Chromium, driven over the DevTools protocol through a pair of pipes: no port, no package."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


class Overdue(Exception):
    """Something did not come in time."""


class Browser:
    """One browser with one page; to be used in a `with`, at whose end it is gone."""

    def __init__(self, program="chromium", patience=30):
        self.patience = patience
        self.console = []
        self.requests = []
        self._last = 0
        self._replies = {}
        self._unread = b""
        self._folder = tempfile.mkdtemp(prefix="browser-")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        # The browser reads from 3 and writes to 4, and ends when this process does, since the pipes do.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "sh", program,
             "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
             "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={self._folder}", "about:blank"],
            pass_fds=(commands, answers), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(commands)
        os.close(answers)
        self._session = None
        try:
            targets = self.wait("a page", lambda: [
                target for target in self.call("Target.getTargets")["targetInfos"] if target["type"] == "page"])
            self._session = self.call(
                "Target.attachToTarget", targetId=targets[0]["targetId"], flatten=True)["sessionId"]
            for domain in ["Page", "Runtime", "Log", "Network"]:
                self.call(domain + ".enable")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the browser with all its processes, whatever state it is in."""
        for end in [self._commands, self._answers]:
            os.close(end)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._process.pid, 9)
        except ProcessLookupError:
            pass
        self._process.wait()
        # Its processes may still be writing as they go.
        for _ in range(50):
            shutil.rmtree(self._folder, ignore_errors=True)
            if not os.path.exists(self._folder):
                break
            time.sleep(0.1)

    def call(self, method, **parameters):
        """Calls a method of the protocol, and returns its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self.patience
        while self._last not in self._replies:
            self._read(deadline, method)
        reply = self._replies.pop(self._last)
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']}")
        return reply["result"]

    def _read(self, deadline, what):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._answers], [], [], left)[0]:
            raise Overdue(f"the browser does not answer: {what}")
        data = os.read(self._answers, 1 << 20)
        if not data:
            raise Overdue(f"the browser has ended: {what}")
        *messages, self._unread = (self._unread + data).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._replies[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, event, parameters):
        if event == "Runtime.consoleAPICalled":
            words = [str(argument.get("value", argument.get("description"))) for argument in parameters["args"]]
            self.console.append(f"{parameters['type']}: {' '.join(words)}")
        elif event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.console.append(f"exception: {details.get('exception', {}).get('description', details['text'])}")
        elif event == "Log.entryAdded":
            self.console.append(f"{parameters['entry']['level']}: {parameters['entry']['text']}")
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def open(self, url):
        """Goes to a page, and returns when it is there."""
        failure = self.call("Page.navigate", url=url).get("errorText")
        if failure:
            raise RuntimeError(f"{url}: {failure}")
        self.waits_for(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def show(self, width, height, scale=1, scheme="light"):
        """Gives the page a window of this size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
            mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def value(self, expression):
        """What a JavaScript expression is in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def text(self, selector):
        return self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def wait(self, what, answer, patience=None):
        """Asks until there is an answer that is true, and returns it."""
        deadline = time.monotonic() + (patience or self.patience)
        while True:
            value = answer()
            if value:
                return value
            if time.monotonic() > deadline:
                raise Overdue(f"not seen in time: {what}")
            time.sleep(0.05)

    def waits_for(self, expression, patience=None):
        return self.wait(expression, lambda: self.value(expression), patience)

    def picture(self, path, whole=False):
        """Writes what the page shows into a PNG file, on request also what is below the window's edge."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
