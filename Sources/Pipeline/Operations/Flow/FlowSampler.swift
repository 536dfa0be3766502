package import ActorBus
import Logging

/// Looks at broker and services again and again, each in its own time, so that one that hangs holds up none.
package final class FlowSampler: Sendable {
    fileprivate struct State {
        var snapshot: FlowSnapshot
        var depths: [PipelineQueue: DepthHistory] = [:]
    }

    fileprivate static let mostNotices = 100

    private let broker: ConnectionConfiguration
    private let services: [FlowSource]
    private let interval: Duration
    private let state: Lock<State>

    /// - Parameter name: what the broker knows the connection as.
    package init(_ broker: ConnectionConfiguration, name: String, services: [FlowSource], interval: Duration) {
        var broker = broker
        // The view goes on meanwhile, and wants to say soon that something is away.
        broker.connectAttempts = 1
        broker.connectTimeout = .seconds(3)
        broker.replyTimeout = .seconds(3)
        broker.recoveryDelay = .milliseconds(250)...(.seconds(2))
        broker.name = name
        self.broker = broker
        self.interval = interval
        self.services = services
        state = Lock(
            State(
                snapshot: FlowSnapshot(
                    brokerName: broker.endpoints.map(\.description).joined(separator: ", "),
                    services: services.map(\.name))))
    }

    /// What is known now.
    package var snapshot: FlowSnapshot {
        var snapshot = state.withLock { $0.snapshot }
        snapshot.time = .now()
        return snapshot
    }

    /// Looks until the task is cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watchBroker() }
            for place in services.indices { group.addTask { await self.watchService(place) } }
        }
    }

    // MARK: The broker

    private func watchBroker() async {
        let silent = Logger(label: "flow") { _ in SwiftLogNoOpLogHandler() }
        while !Task.isCancelled {
            do {
                try await withConnection(to: broker, logger: silent) { connection in
                    while connection.status.state != .closed {
                        await look(over: connection)
                        try await Task.sleep(for: interval)
                    }
                }
            } catch is CancellationError {
                return
            } catch {
                lose("\((error as? AMQPError)?.message ?? "\(error)")")
            }
            do { try await Task.sleep(for: max(interval, .seconds(1))) } catch { return }
        }
    }

    private func look(over connection: AMQPConnection) async {
        let status = connection.status
        guard status.state == .open else { return lose(status.notReadyReason ?? "connecting") }
        do {
            var depths: [(PipelineQueue, QueueDepth?, QueueDepth?)] = []
            for queue in PipelineQueue.allCases {
                depths.append(
                    (
                        queue, try await depth(queue.rawValue, connection),
                        try await depth(queue.deadLetterQueue, connection)
                    ))
            }
            note(depths)
        } catch {
            lose("\((error as? AMQPError)?.message ?? "\(error)")")
        }
    }

    /// Nil for a queue that does not exist.
    private func depth(_ queue: String, _ connection: AMQPConnection) async throws -> QueueDepth? {
        do {
            return try await connection.inspect(queue: queue)
        } catch let error as AMQPError where error.code == .notFound {
            return nil
        }
    }

    private func note(_ depths: [(PipelineQueue, QueueDepth?, QueueDepth?)]) {
        let now = MonotonicTime.sinceFirstUse()
        state.withLock { state in
            if state.snapshot.broker != .up { state.notice("the broker is up") }
            state.snapshot.broker = .up
            state.snapshot.queues = depths.map { queue, depth, letters in
                if let depth {
                    state.depths[queue, default: DepthHistory()].add(depth.messages, at: now)
                } else {
                    state.depths[queue] = nil
                }
                let history = state.depths[queue]
                return FlowSnapshot.Queue(
                    queue: queue, ready: depth?.messages, change: history?.change, consumers: depth?.consumers,
                    deadLetters: letters?.messages, history: history?.values ?? [])
            }
        }
    }

    private func lose(_ why: String) {
        state.withLock { state in
            if case .away = state.snapshot.broker {} else { state.notice("the broker is away: \(why)") }
            state.snapshot.broker = .away(why)
            state.depths = [:]
            state.snapshot.queues = PipelineQueue.allCases.map { FlowSnapshot.Queue(queue: $0) }
        }
    }

    // MARK: Services

    private func watchService(_ place: Int) async {
        var history = ServiceHistory()
        while !Task.isCancelled {
            do {
                let text = try await services[place].metrics()
                let figures = history.add(MetricsPage(text), at: MonotonicTime.sinceFirstUse())
                note(place, history.kind, .up(figures))
            } catch {
                history.lose()
                note(place, nil, .away("\(error)"))
            }
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }

    private static func count(_ number: Double) -> String { Int64(exactly: number.rounded()).map { "\($0)" } ?? "some" }

    private func note(_ place: Int, _ kind: ServiceKind?, _ new: FlowSnapshot.Service.State) {
        state.withLock { state in
            let before = state.snapshot.services[place]
            if let kind {
                state.snapshot.services[place].kind = kind
                state.snapshot.services[place].name = kind.rawValue
            }
            let name = state.snapshot.services[place].name
            switch (before.state, new) {
            case (.up(let old), .up(let figures)):
                if old.isConnected != figures.isConnected {
                    state.notice("\(name) has \(figures.isConnected ? "its" : "lost its") connection to the broker")
                }
                if figures.deadLettered > old.deadLettered {
                    state.notice("\(name) has put \(Self.count(figures.deadLettered - old.deadLettered)) aside")
                }
            case (_, .up): state.notice("\(name) is up")
            case (.up, .away(let why)): state.notice("\(name) is away: \(why)")
            default: break
            }
            state.snapshot.services[place].state = new
        }
    }
}

extension FlowSampler.State {
    fileprivate mutating func notice(_ words: String) {
        snapshot.notices.insert(FlowSnapshot.Notice(time: .now(), words: words), at: 0)
        if snapshot.notices.count > FlowSampler.mostNotices { snapshot.notices.removeLast() }
    }
}
