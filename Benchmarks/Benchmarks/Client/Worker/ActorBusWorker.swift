import ActorBus
import FoundationEssentials
import Logging

/// The work, written as a user of the library would write it.
///
/// It runs on the cooperative pool (`@concurrent`), as the tasks of a service do, and not on the main actor.
struct ActorBusWorker {
    let order: WorkOrder
    /// Whether the tasks prefer the thread of their connection to the cooperative pool.
    let onThread: Bool

    /// A window of tasks that each await their own message's confirm.
    @concurrent func publish() async throws {
        var connections: [AMQPConnection] = []
        var parts: [(publisher: Publisher, executor: (any TaskExecutor)?, count: Int)] = []
        let window = max(1, order.window / order.connections)
        for index in 0..<order.connections {
            let connection = try await connect()
            connections.append(connection)
            let publisher = try await connection.publisher(window: window)
            let count = share(of: order.count, among: order.connections, index)
            for task in 0..<window {
                parts.append((publisher, executor(of: connection), share(of: count, among: window, task)))
            }
        }
        let message = message
        let order = order

        let watch = try Stopwatch()
        try await withThrowingTaskGroup { group in
            for part in parts {
                group.addTask(executorPreference: part.executor) {
                    for _ in 0..<part.count {
                        try await part.publisher.publish(
                            message, to: order.exchange, routingKey: order.routingKey, mandatory: false)
                    }
                }
            }
            try await group.waitForAll()
        }
        watch.report(count: order.count, bytes: Int64(order.count) * Int64(order.size))
        for connection in connections { await connection.close() }
    }

    /// From one task that keeps the window full, with confirms here too, for ActorBus publishes in no other way.
    @concurrent func send() async throws {
        let connection = try await connect()
        let publisher = try await connection.publisher(window: order.window)
        let message = message

        let watch = try Stopwatch()
        try await withTaskExecutorPreference(executor(of: connection)) {
            var sent: [PendingConfirm] = []
            sent.reserveCapacity(order.count)
            for _ in 0..<order.count {
                sent.append(
                    try await publisher.send(
                        message, to: order.exchange, routingKey: order.routingKey, mandatory: false))
            }
            for confirm in sent { try await confirm.confirmed() }
        }
        watch.report(count: order.count, bytes: Int64(order.count) * Int64(order.size))
        await connection.close()
    }

    @concurrent func consume() async throws {
        let connection = try await connect()

        let watch = try Stopwatch()
        let (count, bytes) = try await withTaskExecutorPreference(executor(of: connection)) {
            var count = 0
            var bytes: Int64 = 0
            let prefetch = UInt16(clamping: order.prefetch)
            for try await delivery in connection.deliveries(from: order.queue, prefetch: prefetch) {
                bytes += Int64(delivery.body.count)
                delivery.acknowledge()
                count += 1
                if count == order.count { break }
            }
            return (count, bytes)
        }
        watch.report(count: count, bytes: bytes)
        await connection.close()
    }

    /// One message in flight: published on one connection, consumed on another. Acknowledgment and confirm are outside
    /// the sample.
    @concurrent func latency() async throws {
        let publishing = try await connect()
        let consuming = try await connect()
        let publisher = try await publishing.publisher(window: 1)
        let message = message
        let order = order

        let watch = try Stopwatch()
        let (samples, bytes) = try await withTaskExecutorPreference(executor(of: consuming)) {
            var samples: [Int64] = []
            samples.reserveCapacity(order.count)
            var bytes: Int64 = 0
            var deliveries = consuming.deliveries(from: order.queue).makeAsyncIterator()
            for _ in 0..<order.count {
                let start = ContinuousClock.now
                async let confirmed: Void = publisher.publish(
                    message, to: order.exchange, routingKey: order.routingKey, mandatory: false)
                guard let delivery = try await deliveries.next() else { throw BenchmarkError("the deliveries ended") }
                samples.append((ContinuousClock.now - start).nanoseconds)
                bytes += Int64(delivery.body.count)
                delivery.acknowledge()
                try await confirmed
            }
            return (samples, bytes)
        }
        watch.report(count: samples.count, bytes: bytes)
        try Data(samples.map { "\($0)\n" }.joined().utf8).write(to: URL(filePath: order.samples))
        await publishing.close()
        await consuming.close()
    }

    @concurrent func idle() async throws {
        let connection = try await connect()
        let queue = order.queue
        let consumer = Task {
            for try await _ in connection.deliveries(from: queue) {
                throw BenchmarkError("something came while there was nothing to come")
            }
        }
        while try await connection.inspect(queue: queue).consumers == 0 { try await Task.sleep(for: .milliseconds(10)) }
        let watch = try Stopwatch()
        try await Task.sleep(for: .seconds(order.seconds))
        watch.report(count: 0, bytes: 0)
        consumer.cancel()
        try await consumer.value
        await connection.close()
    }

    // MARK: -

    private func connect() async throws -> AMQPConnection {
        var configuration = ConnectionConfiguration(
            endpoints: [.init(host: order.broker.host, port: order.broker.port)], user: order.broker.user,
            password: order.broker.password)
        configuration.connectAttempts = 1
        return try await AMQPConnection.connect(configuration, logger: Self.logger)
    }

    private func executor(of connection: AMQPConnection) -> (any TaskExecutor)? {
        onThread ? connection.taskExecutor : nil
    }

    private var message: Message {
        Message(
            body: Array(repeating: UInt8(ascii: "x"), count: order.size),
            properties: MessageProperties(contentType: "application/octet-stream", deliveryMode: .persistent))
    }

    private func share(of count: Int, among parts: Int, _ index: Int) -> Int {
        count / parts + (index < count % parts ? 1 : 0)
    }

    private static var logger: Logger {
        var logger = Logger(label: "worker") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        return logger
    }
}
