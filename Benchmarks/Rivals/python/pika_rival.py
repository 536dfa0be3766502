"""pika at the work that every rival does: its blocking connection where it can do the work, its callbacks where not."""

import platform
import sys
import time

import pika

from rival import Settings, Stopwatch, fail, write_samples

PROPERTIES = pika.BasicProperties(content_type="application/octet-stream", delivery_mode=2)


def parameters(settings):
    return pika.ConnectionParameters(
        settings.host, settings.port, credentials=pika.PlainCredentials(settings.user, settings.password), heartbeat=30)


def blocking(settings):
    connection = pika.BlockingConnection(parameters(settings))
    return connection, connection.channel()


def publish(settings):
    connection, channel = blocking(settings)
    watch = Stopwatch()
    for _ in range(settings.count):
        channel.basic_publish(settings.exchange, settings.routing_key, settings.body, PROPERTIES)
    # A round trip on the same channel ends it, so that the broker has taken every message.
    channel.queue_declare(settings.queue, passive=True)
    watch.report(settings.count, settings.count * settings.size)
    connection.close()


def confirm(settings):
    if settings.window == 1 and settings.connections == 1:
        confirm_each(settings)
    else:
        confirm_window(settings)


def confirm_each(settings):
    connection, channel = blocking(settings)
    channel.confirm_delivery()
    watch = Stopwatch()
    for _ in range(settings.count):
        channel.basic_publish(settings.exchange, settings.routing_key, settings.body, PROPERTIES)
    watch.report(settings.count, settings.count * settings.size)
    connection.close()


class Fleet:
    """Connections with a channel each on one I/O loop, and what to do when all are open."""

    def __init__(self, settings, number, on_open):
        self._number = number
        self._on_open = on_open
        self.channels = []
        first = self._connect(settings, None)
        self.loop = first.ioloop
        self.connections = [first] + [self._connect(settings, self.loop) for _ in range(number - 1)]

    def _connect(self, settings, loop):
        return pika.SelectConnection(
            parameters(settings),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=lambda _, error: fail(f"connecting: {error}"),
            on_close_callback=self._closed, custom_ioloop=loop)

    def _opened(self, channel):
        self.channels.append(channel)
        if len(self.channels) == self._number:
            self._on_open()

    def run(self):
        self.loop.start()

    def close(self):
        """Closes the connections and lets the loop end with the last."""
        self._closing = True
        for connection in self.connections:
            connection.close()

    _closing = False

    def _closed(self, _, reason):
        if not self._closing:
            fail(f"the connection was lost: {reason}")
        self._number -= 1
        if self._number == 0:
            self.loop.stop()


class Window:
    """A channel's part of the messages, with a window of those that are not confirmed."""

    def __init__(self, settings, channel, count, size, on_done):
        self._settings, self._channel, self._count, self._size, self._on_done = settings, channel, count, size, on_done
        self._published = 0
        self._confirmed = 0
        self._unconfirmed = set()

    def fill(self):
        settings, publish = self._settings, self._channel.basic_publish
        while self._published < self._count and len(self._unconfirmed) < self._size:
            publish(settings.exchange, settings.routing_key, settings.body, PROPERTIES)
            self._published += 1
            self._unconfirmed.add(self._published)

    def on_confirm(self, frame):
        if not isinstance(frame.method, pika.spec.Basic.Ack):
            fail("the broker refused a message")
        tag = frame.method.delivery_tag
        done = {each for each in self._unconfirmed if each <= tag} if frame.method.multiple else {tag}
        self._unconfirmed -= done
        self._confirmed += len(done)
        if self._confirmed == self._count:
            self._on_done()
        else:
            self.fill()


def confirm_window(settings):
    watch = None
    windows = []
    working = settings.connections

    def on_open():
        for channel, (count, size) in zip(fleet.channels, settings.shares()):
            window = Window(settings, channel, count, size, on_done)
            windows.append(window)
            channel.confirm_delivery(window.on_confirm, callback=on_selected)

    selected = 0

    def on_selected(_):
        nonlocal watch, selected
        selected += 1
        if selected == settings.connections:
            watch = Stopwatch()
            for window in windows:
                window.fill()

    def on_done():
        nonlocal working
        working -= 1
        if working == 0:
            watch.report(settings.count, settings.count * settings.size)
            fleet.close()

    fleet = Fleet(settings, settings.connections, on_open)
    fleet.run()


def consume(settings):
    connection, channel = blocking(settings)
    size = count = 0
    watch = Stopwatch()

    def on_message(channel, method, _, body):
        nonlocal size, count
        size += len(body)
        count += 1
        channel.basic_ack(method.delivery_tag)
        if count == settings.count:
            channel.stop_consuming()

    channel.basic_qos(prefetch_count=settings.prefetch)
    channel.basic_consume(settings.queue, on_message)
    channel.start_consuming()
    watch.report(count, size)
    connection.close()


def latency(settings):
    """One message in flight, over two connections. Acknowledgment and confirm are outside the sample."""
    samples = []
    size = start = outstanding = 0
    watch = None

    def on_open():
        fleet.channels[0].confirm_delivery(on_confirm, callback=on_selected)

    def on_selected(_):
        fleet.channels[1].basic_qos(prefetch_count=settings.prefetch, callback=on_qos)

    def on_qos(_):
        fleet.channels[1].basic_consume(settings.queue, on_message, callback=on_consuming)

    def on_consuming(_):
        nonlocal watch
        watch = Stopwatch()
        publish_next()

    def publish_next():
        nonlocal start, outstanding
        outstanding = 2
        start = time.monotonic_ns()
        fleet.channels[0].basic_publish(settings.exchange, settings.routing_key, settings.body, PROPERTIES)

    def on_message(channel, method, _, body):
        nonlocal size
        samples.append(time.monotonic_ns() - start)
        size += len(body)
        channel.basic_ack(method.delivery_tag)
        settle()

    def on_confirm(frame):
        if not isinstance(frame.method, pika.spec.Basic.Ack):
            fail("the broker refused a message")
        settle()

    def settle():
        nonlocal outstanding
        outstanding -= 1
        if outstanding == 0:
            if len(samples) < settings.count:
                publish_next()
            else:
                watch.report(len(samples), size)
                fleet.close()

    fleet = Fleet(settings, 2, on_open)
    fleet.run()
    write_samples(settings.samples, samples)


def idle(settings):
    connection, channel = blocking(settings)
    channel.basic_qos(prefetch_count=settings.prefetch)
    channel.basic_consume(settings.queue, lambda *_: fail("something came while there was nothing to come"))
    watch = Stopwatch()
    connection.process_data_events(time_limit=settings.seconds)
    watch.report(0, 0)
    connection.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["version"]:
        print(f"pika {pika.__version__} (CPython {platform.python_version()})")
    else:
        settings = Settings()
        works = {"publish": publish, "confirm": confirm, "consume": consume, "latency": latency, "idle": idle}
        works.get(settings.work, lambda _: fail(f"there is no work called '{settings.work}'"))(settings)
