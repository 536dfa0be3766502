extension AMQPConnection {
    /// What the broker holds otherwise than `topology` has it; nothing when all is there and equal.
    ///
    /// Creates nothing, unless something is deleted just then: each exchange and queue is first asked for with
    /// `passive`, which tells only whether it exists, and what exists is then declared once more, which leaves it as it is
    /// and is refused with 406 when it differs (RabbitMQ, "Declaration and property equivalence"). Bindings cannot be asked
    /// for in AMQP 0-9-1.
    /// - Throws: ``AMQPError`` when the broker cannot be asked.
    public func differences(from topology: Topology) async throws -> [TopologyDifference] {
        var differences: [TopologyDifference] = []
        for exchange in topology.exchanges {
            let finding = try await finding { passive in .exchangeDeclare(exchange, passive: passive) }
            if let finding { differences.append(TopologyDifference(.exchange(exchange.name), finding)) }
        }
        for queue in topology.queues {
            let finding = try await finding { passive in .queueDeclare(queue, passive: passive) }
            if let finding { differences.append(TopologyDifference(.queue(queue.name), finding)) }
        }
        return differences
    }

    private func finding(
        _ declaration: (_ passive: Bool) -> OutgoingMethod
    ) async throws -> TopologyDifference.Finding? {
        do {
            // A channel each, since a refusal closes it.
            for passive in [true, false] {
                let session = try await openSession()
                try await session.withChannel { channel in
                    _ = try await session.call(declaration(passive), on: channel)
                }
            }
            return nil
        } catch let error as AMQPError {
            let words = error.replyText ?? error.message
            switch error.code {
            // All other 404 are of a node that stops or is away, and come in many words.
            case .notFound where words.contains("no queue '") || words.contains("no exchange '"): return .missing
            case .notFound: return .unknown(words)
            case .preconditionFailed where error.outlook == .refused: return .different(words)
            case .preconditionFailed, .resourceLocked, .accessRefused, .timedOut: return .unknown(words)
            default: throw error
            }
        }
    }
}
