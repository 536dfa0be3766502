import ActorBus

/// Declares again what somebody deleted: one attempt for a target at a time, however many messages need it.
final class TopologyRestoration: Sendable {
    private let underWay = Lock<[PublishTarget: StopSignal]>([:])
    private let patience: Duration
    private let world: World

    /// - Parameter patience: how long a message waits for an attempt; the attempt itself goes on.
    init(patience: Duration = .seconds(10), in world: World = .real) {
        self.patience = patience
        self.world = world
    }

    /// Returns when an attempt has ended, or after the patience: the one under way, or a new one.
    func restore(_ target: PublishTarget, _ declare: @escaping @Sendable () async -> Void) async {
        let (end, isNew) = underWay.withLock { underWay in
            if let end = underWay[target] { return (end, false) }
            let end = StopSignal(in: world)
            underWay[target] = end
            return (end, true)
        }
        if isNew {
            world.task {
                await declare()
                underWay.withLock { $0[target] = nil }
                end.stop()
            }
        }
        await end.sleep(for: patience)
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
