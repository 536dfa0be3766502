import ActorBus

/// Declares again what somebody deleted: one attempt for a target at a time, however many messages need it.
final class TopologyRestoration: Sendable {
    /// An attempt that is under way, and then what it came to.
    private final class Attempt: Sendable {
        let end: StopSignal
        let refusal = Lock<AMQPError?>(nil)

        init(in world: World) { end = StopSignal(in: world) }
    }

    private let underWay = Lock<[PublishTarget: Attempt]>([:])
    private let patience: Duration
    private let world: World

    /// - Parameter patience: how long a message waits for an attempt; the attempt itself goes on.
    init(patience: Duration = .seconds(10), in world: World = .real) {
        self.patience = patience
        self.world = world
    }

    /// Returns when an attempt has ended, or after the patience: the one under way, or a new one. Returns what `declare`
    /// returned, as far as it has: why the target cannot be declared.
    func restore(
        _ target: PublishTarget, _ declare: @escaping @Sendable () async -> AMQPError?
    ) async -> AMQPError? {
        let (attempt, isNew) = underWay.withLock { underWay in
            if let attempt = underWay[target] { return (attempt, false) }
            let attempt = Attempt(in: world)
            underWay[target] = attempt
            return (attempt, true)
        }
        if isNew {
            world.task {
                let refusal = await declare()
                attempt.refusal.withLock { $0 = refusal }
                underWay.withLock { $0[target] = nil }
                attempt.end.stop()
            }
        }
        await attempt.end.sleep(for: patience)
        return attempt.refusal.withLock { $0 }
    }
}

extension Topology {
    /// What a message to the target needs: the exchange and the queues bound to it, or the queue.
    func part(for target: PublishTarget) -> Topology {
        switch target {
        case .exchange(let name):
            Topology(
                exchanges: exchanges.filter { $0.name == name },
                queues: queues.filter { queue in queue.bindings.contains { $0.exchange == name } })
        case .queue(let name):
            Topology(queues: queues.filter { $0.name == name })
        }
    }
}
