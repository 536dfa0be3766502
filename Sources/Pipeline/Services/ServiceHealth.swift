import ActorBus

/// Whether a service can do its work now, for `/readyz`.
package final class ServiceHealth: Sendable {
    private struct Part: Sendable {
        let name: String
        let consumers: Int
        let status: @Sendable () -> ConnectionStatus
    }

    private struct State: Sendable {
        /// How many connections the service needs; none are enough before it has said so.
        var expected: Int?
        var parts: [Part] = []
        var isDraining = false
        /// Why the broker takes nothing that the service publishes; nil while it does.
        var refusal: (@Sendable () -> String?)?
    }

    private let state = Lock(State())

    package init() {}

    /// The answer at this moment; cheap, from any thread.
    package var readiness: Readiness {
        let state = self.state.withLock { $0 }
        if state.isDraining { return .draining }
        for part in state.parts {
            let status = part.status()
            if !status.isReady {
                return .notReady("\(part.name): \(status.notReadyReason ?? "not connected to the broker")")
            }
            if status.registeredConsumers < part.consumers {
                return .notReady("\(part.name): the consumer is not registered with the broker yet")
            }
        }
        guard let expected = state.expected, state.parts.count >= expected else {
            return .notReady("connecting to the broker")
        }
        if let refusal = state.refusal?() { return .notReady(refusal) }
        return .ready
    }

    /// The service needs so many connections.
    func expect(connections: Int) {
        state.withLock { $0.expected = connections }
    }

    /// One of them is there, with as many consumers as there shall be on it.
    func add(_ name: String, consumers: Int, status: @escaping @Sendable () -> ConnectionStatus) {
        state.withLock { $0.parts.append(Part(name: name, consumers: consumers, status: status)) }
    }

    /// What the service publishes may be refused; `refusal` says why, in a line, from any thread.
    func watch(refusal: @escaping @Sendable () -> String?) {
        state.withLock { $0.refusal = refusal }
    }

    /// The service is on its way out.
    func drain() {
        state.withLock { $0.isDraining = true }
    }
}
