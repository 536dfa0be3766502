"""What the Python rivals share: settings from the environment, the stopwatch, the talk with the driver."""

import os
import resource
import signal
import sys
import time


def fail(why):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {why}")


class Settings:
    """What is to be done, as every rival takes it from its environment."""

    def __init__(self):
        self.host = self._text("HOST")
        self.port = self._number("PORT")
        self.user = self._text("USER")
        self.password = self._text("PASSWORD")
        self.work = self._text("WORK")
        self.exchange = self._text("EXCHANGE")
        self.routing_key = self._text("ROUTING_KEY")
        self.queue = self._text("QUEUE")
        self.samples = self._text("SAMPLES")
        self.count = self._number("COUNT")
        self.size = self._number("SIZE")
        self.window = self._number("WINDOW")
        self.prefetch = self._number("PREFETCH")
        self.connections = self._number("CONNECTIONS")
        self.seconds = self._number("SECONDS")
        # Whatever becomes of the driver, this process does not stay.
        signal.alarm(self._number("LIMIT"))
        self.body = b"x" * self.size

    def shares(self):
        """How many messages, and which window, each connection has."""
        window = max(1, self.window // self.connections)
        for index in range(self.connections):
            yield self.count // self.connections + (index < self.count % self.connections), window

    @staticmethod
    def _text(name):
        try:
            return os.environ["BENCH_" + name]
        except KeyError:
            fail(f"the environment has no BENCH_{name}")

    @classmethod
    def _number(cls, name):
        value = cls._text(name)
        if not value.isdecimal():
            fail(f"BENCH_{name} is '{value}', and no number")
        return int(value)


class Stopwatch:
    """Tells the driver that the set-up is done, waits for its word, and measures."""

    def __init__(self):
        print("ready", flush=True)
        if not sys.stdin.readline():
            fail("the driver is gone")
        self._wall = time.monotonic_ns()
        self._cpu = self._cpu_ns()

    def report(self, count, size):
        """Stops, reports, and waits until the driver has read what it wants of this process."""
        wall, cpu = time.monotonic_ns() - self._wall, self._cpu_ns() - self._cpu
        print(f'{{"count":{count},"bytes":{size},"wall_ns":{wall},"cpu_ns":{cpu}}}', flush=True)
        sys.stdin.read()

    @staticmethod
    def _cpu_ns():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return int((usage.ru_utime + usage.ru_stime) * 1e9)


def write_samples(path, samples):
    with open(path, "w") as file:
        file.writelines(f"{sample}\n" for sample in samples)
