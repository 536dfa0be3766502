/// What a connection is doing, at one moment.
public struct ConnectionStatus: Sendable, Equatable {
    public enum State: String, Sendable {
        /// Never open yet.
        case connecting
        case open
        /// Broken, and coming back by itself.
        case recovering
        /// Closed by its owner, or by an error that no new attempt could mend.
        case closed
    }

    public internal(set) var state: State = .connecting
    /// Consumers that are wanted.
    public internal(set) var consumers = 0
    /// Consumers that the broker has acknowledged.
    public internal(set) var registeredConsumers = 0
    /// Publishers whose channel was closed and could not be opened again yet; what they publish waits meanwhile.
    public internal(set) var unattachedPublishers = 0
    /// Exchanges and queues of the topology that the broker did not take at the last recovery, and is being asked for again.
    /// The rest of the connection works meanwhile.
    public internal(set) var undeclared = 0
    /// The queues among them. What is published to an exchange that one of them is bound to misses that queue.
    package internal(set) var undeclaredQueues: Set<String> = []
    /// How often each queue was left out so far, so that whoever published over a recovery can tell.
    package internal(set) var omissions: [String: UInt64] = [:]
    /// How often the connection came back.
    public internal(set) var recoveries: UInt64 = 0
    /// The broker's reason, while it blocks publishing (memory or disk alarm).
    public internal(set) var blocked: String?
    /// What broke the connection or closed it for good, in words.
    public internal(set) var problem: String?

    /// Open, every consumer registered with the broker, and no publisher without a channel.
    public var isReady: Bool { notReadyReason == nil }

    /// Why it is not ready, in a line.
    public var notReadyReason: String? {
        let cause = problem.map { ": \($0)" } ?? ""
        return switch state {
        case .connecting: "connecting to the broker\(cause)"
        case .recovering: "the connection to the broker is being restored\(cause)"
        case .closed: "the connection is closed\(cause)"
        case .open where registeredConsumers < consumers:
            "\(registeredConsumers) of \(consumers) consumers are registered with the broker\(cause)"
        case .open where unattachedPublishers > 0:
            "\(unattachedPublishers) \(unattachedPublishers == 1 ? "publisher waits" : "publishers wait") for a channel"
                + cause
        case .open: nil
        }
    }
}

/// The status and those who watch it. A slow watcher loses the oldest news and holds nobody up.
final class StatusBoard: Sendable {
    private struct State {
        var status = ConnectionStatus()
        var watchers = Roster<UInt64, AsyncStream<ConnectionStatus>.Continuation>()
        var nextWatcher: UInt64 = 0
        var isFinished = false
    }

    private let state = Lock(State())

    deinit { finish() }

    var status: ConnectionStatus { state.withLock { $0.status } }

    /// Changes the status; watchers are told when it has changed. To be called on one thread, so that nobody sees news
    /// in the wrong order.
    func update(_ change: (inout ConnectionStatus) -> Void) {
        let (status, watchers) = state.withLock { state in
            let before = state.status
            change(&state.status)
            return (state.status, state.status != before ? state.watchers.values : [])
        }
        // Not under the lock: a watcher that is being cancelled holds its task's lock and waits for this one
        // (`onTermination`), and to wake it takes its task's.
        for watcher in watchers { watcher.yield(status) }
    }

    /// The status now and at every change, until the connection closes.
    func updates() -> AsyncStream<ConnectionStatus> {
        AsyncStream(bufferingPolicy: .bufferingNewest(32)) { continuation in
            let id = state.withLock { state in
                state.nextWatcher += 1
                // Nobody waits for it yet.
                continuation.yield(state.status)
                if !state.isFinished { state.watchers[state.nextWatcher] = continuation }
                return state.isFinished ? nil : state.nextWatcher
            }
            guard let id else { return continuation.finish() }
            continuation.onTermination = { [weak self] _ in
                self?.state.withLock { state in state.watchers[id] = nil }
            }
        }
    }

    /// Ends all watching.
    func finish() {
        let watchers = state.withLock { state in
            let watchers = state.watchers.values
            state.watchers = Roster()
            state.isFinished = true
            return watchers
        }
        for watcher in watchers { watcher.finish() }
    }
}
