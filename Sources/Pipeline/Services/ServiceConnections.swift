import ActorBus
import Logging

/// The connections of one service: opened one after the other, watched, and closed together.
final class ServiceConnections: Sendable {
    private struct Opened: Sendable {
        let connection: AMQPConnection
        let watch: Task<Void, Never>
    }

    private let context: ServiceContext
    private let broker: ConnectionConfiguration
    private let opened = Lock<[Opened]>([])
    /// What closed a connection for good, when the service did not.
    private let ends: (stream: AsyncStream<AMQPError>, continuation: AsyncStream<AMQPError>.Continuation)

    init(_ context: ServiceContext, to broker: ConnectionConfiguration) {
        self.context = context
        self.broker = broker
        ends = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// Waits until a connection is closed for good though the service has not closed it, and returns why; nil when the
    /// task is cancelled. For one task.
    func firstEnd() async -> AMQPError? {
        await ends.stream.first { _ in true }
    }

    /// The same, for who has met the end already; nil where there is none.
    func end() async -> AMQPError? {
        for one in opened.withLock({ $0 }) {
            if let error = await one.connection.end { return error }
        }
        return nil
    }

    /// The service's publishing connection, with a publisher of the window given.
    func publisher(window: Int) async throws -> EventPublisher {
        let connection = try await open("publishing", consuming: nil)
        let publisher = try await EventPublisher(
            appID: context.kind.appID, connection: connection, topology: context.topology, window: window,
            metrics: context.metrics, logger: context.logger)
        context.health.watch { publisher.refusal }
        return publisher
    }

    /// A connection, with the topology declared. Throws as `AMQPConnection.connect` does.
    func open(_ name: String, consuming queue: PipelineQueue?) async throws -> AMQPConnection {
        var configuration = broker
        configuration.name = "\(context.kind.appID) \(name)"
        configuration.spool = .ofThePipeline
        // A service whose topology is not to be had any more must not look alive.
        configuration.refusedTopology = .endConnection
        var logger = context.logger
        logger[metadataKey: "connection"] = .string(name)
        let connection = try await AMQPConnection.connect(configuration, topology: context.topology, logger: logger)
        context.health.add(name, consumers: queue == nil ? 0 : 1) { connection.status }
        context.metrics.observe(
            isUp: { connection.status.state == .open }, reconnects: { connection.status.recoveries })
        let watch = broker.world.task { [logger, end = ends.continuation] in
            var story = ConnectionStory(consumes: queue != nil)
            for await status in connection.statusUpdates() {
                for line in story.lines(for: status) { Self.log(line, queue, logger) }
            }
            if let error = await connection.end { end.yield(error) }
        }
        opened.withLock { $0.append(Opened(connection: connection, watch: watch)) }
        return connection
    }

    /// Closes all, bounded in time. Nothing can be opened afterwards that would be closed.
    func close() async {
        let all = opened.withLock { opened in
            defer { opened = [] }
            return opened
        }
        await withDiscardingTaskGroup { group in
            for one in all {
                one.watch.cancel()
                group.addTask { await one.connection.close() }
            }
        }
    }

    private static func log(_ line: ConnectionStory.Line, _ queue: PipelineQueue?, _ logger: Logger) {
        switch line {
        case .waiting:
            guard let queue else { return }
            logger.info("Waiting for \(queue.source.rawValue)...", metadata: ["queue": .string(queue.rawValue)])
        case .blocked(let reason):
            logger.warning("The broker takes no messages for now: \(reason)")
        case .unblocked:
            logger.info("The broker takes messages again")
        }
    }
}

extension ServiceContext {
    /// Runs a service's work with connections that are closed however it ends.
    ///
    /// A connection that is closed for good ends the service, with what closed it: there is nothing left that the others
    /// could be of use for. Work is told by its cancellation, and may finish what it has in hand.
    ///
    /// - Parameter count: how many connections the service will open; it is ready once they are.
    func withConnections(
        _ count: Int, to broker: ConnectionConfiguration,
        _ work: @escaping @Sendable (ServiceConnections) async throws -> Void
    ) async throws {
        health.expect(connections: count)
        let connections = ServiceConnections(self, to: broker)
        try await withTaskCancellationHandler {
            do {
                try await withThrowingTaskGroup(of: AMQPError?.self) { group in
                    group.addTask {
                        try await work(connections)
                        return nil
                    }
                    group.addTask { await connections.firstEnd() }
                    let end = try await group.next() ?? nil
                    if end != nil { health.drain() }
                    group.cancelAll()
                    // What work says of an end that has a cause is its consequence.
                    do { for try await _ in group {} } catch { if end == nil { throw error } }
                    if let end { throw end }
                }
            } catch let consequence {
                let error = await connections.end() ?? consequence
                health.drain()
                await connections.close()
                // Told to stop while it was still connecting: nothing was in hand.
                if error is CancellationError, Task.isCancelled { return }
                throw error
            }
            health.drain()
            await connections.close()
        } onCancel: {
            health.drain()
        }
    }
}
