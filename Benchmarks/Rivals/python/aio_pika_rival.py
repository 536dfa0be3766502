"""aio-pika at the work that every rival does."""

import asyncio
import platform
import sys
import time
from importlib.metadata import version

import aio_pika

from rival import Settings, Stopwatch, fail, write_samples


def message(settings):
    return aio_pika.Message(
        settings.body, content_type="application/octet-stream", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)


async def connect(settings, confirms=True):
    connection = await aio_pika.connect(
        host=settings.host, port=settings.port, login=settings.user, password=settings.password, heartbeat=30)
    return connection, await connection.channel(publisher_confirms=confirms)


async def exchange(settings, channel):
    if settings.exchange == "":
        return channel.default_exchange
    return await channel.get_exchange(settings.exchange, ensure=False)


async def publish(settings):
    connection, channel = await connect(settings, confirms=False)
    target = await exchange(settings, channel)
    watch = Stopwatch()
    for _ in range(settings.count):
        await target.publish(message(settings), settings.routing_key, mandatory=False)
    # A round trip on the same channel ends it, so that the broker has taken every message.
    await channel.declare_queue(settings.queue, passive=True)
    watch.report(settings.count, settings.count * settings.size)
    await connection.close()


async def confirm(settings):
    connections, parts = [], []
    for count, window in settings.shares():
        connection, channel = await connect(settings)
        connections.append(connection)
        target = await exchange(settings, channel)
        for index in range(window):
            parts.append((target, count // window + (index < count % window)))

    async def publish_part(target, count):
        for _ in range(count):
            await target.publish(message(settings), settings.routing_key, mandatory=False)

    watch = Stopwatch()
    await asyncio.gather(*(publish_part(target, count) for target, count in parts))
    watch.report(settings.count, settings.count * settings.size)
    for connection in connections:
        await connection.close()


async def consume(settings):
    connection, channel = await connect(settings)
    queue = await channel.get_queue(settings.queue, ensure=False)
    size = count = 0
    watch = Stopwatch()
    await channel.set_qos(prefetch_count=settings.prefetch)
    async with queue.iterator() as deliveries:
        async for delivery in deliveries:
            size += len(delivery.body)
            count += 1
            await delivery.ack()
            if count == settings.count:
                watch.report(count, size)
                break
    await connection.close()


async def latency(settings):
    """One message in flight, over two connections. Acknowledgment and confirm are outside the sample."""
    publishing, publisher = await connect(settings)
    consuming, consumer = await connect(settings)
    target = await exchange(settings, publisher)
    await consumer.set_qos(prefetch_count=settings.prefetch)
    queue = await consumer.get_queue(settings.queue, ensure=False)
    samples = []
    size = 0
    async with queue.iterator() as deliveries:
        watch = Stopwatch()
        for _ in range(settings.count):
            start = time.monotonic_ns()
            confirmed = asyncio.ensure_future(target.publish(message(settings), settings.routing_key, mandatory=False))
            delivery = await deliveries.__anext__()
            samples.append(time.monotonic_ns() - start)
            size += len(delivery.body)
            await delivery.ack()
            await confirmed
        watch.report(len(samples), size)
    await publishing.close()
    await consuming.close()
    write_samples(settings.samples, samples)


async def idle(settings):
    connection, channel = await connect(settings)
    await channel.set_qos(prefetch_count=settings.prefetch)
    queue = await channel.get_queue(settings.queue, ensure=False)
    await queue.consume(lambda _: fail("something came while there was nothing to come"))
    watch = Stopwatch()
    await asyncio.sleep(settings.seconds)
    watch.report(0, 0)
    await connection.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["version"]:
        print(f"aio-pika {version('aio-pika')}, aiormq {version('aiormq')} (CPython {platform.python_version()})")
    else:
        settings = Settings()
        works = {"publish": publish, "confirm": confirm, "consume": consume, "latency": latency, "idle": idle}
        if settings.work not in works:
            fail(f"there is no work called '{settings.work}'")
        asyncio.run(works[settings.work](settings))
