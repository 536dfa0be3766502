/// A broker's answer to the question whether the user may do something.
package enum Permission: Sendable, Equatable {
    case granted, refused
    /// The broker takes no messages for now, for the reason that it gives, and says no more on this connection.
    case blocked(String)
    /// The broker did not answer in time.
    case unanswered
}

/// What the user may do, asked without doing it.
///
/// RabbitMQ looks at rights before all else. So each question is something that it refuses in any case, or that changes
/// nothing: 403 says that the right is missing, and any other answer that it is there. That holds for exchanges and queues
/// that do not exist, too.
extension AMQPConnection {
    /// Whether the user may declare an exchange. Nothing is declared: it has an alternate exchange whose name is a number.
    /// Throws ``AMQPError``.
    package func mayDeclare(_ exchange: Exchange) async throws -> Permission {
        var impossible = exchange
        impossible.arguments["alternate-exchange"] = 0
        return try await ask { session, channel in
            _ = try await session.call(.exchangeDeclare(impossible, passive: false), on: channel)
        }
    }

    /// Whether the user may declare a queue, and have it dead-letter where its arguments say so. Nothing is declared: it
    /// expires after a time that is no number. Throws ``AMQPError``.
    package func mayDeclare(_ queue: Queue) async throws -> Permission {
        var impossible = queue
        impossible.arguments["x-expires"] = "never"
        return try await ask { session, channel in
            _ = try await session.call(.queueDeclare(impossible, passive: false), on: channel)
        }
    }

    /// Whether the user may bind a queue to an exchange. Nothing is bound: a binding that nobody has is removed, which takes
    /// the same rights (write on the queue, read on the exchange). Throws ``AMQPError``.
    package func mayBind(_ queue: String, to exchange: String) async throws -> Permission {
        var random = world.randomness
        let key = "actorbus-probe-\(UInt64.random(in: .min ... .max, using: &random))"
        let binding = Queue.Binding(exchange: exchange, routingKey: key, arguments: [:])
        return try await ask { session, channel in
            _ = try await session.call(.queueUnbind(queue: queue, binding: binding), on: channel)
        }
    }

    /// Whether the user may consume from a queue. Nothing is delivered: the consumer has a priority that is no number.
    /// Throws ``AMQPError``.
    package func mayConsume(from queue: String) async throws -> Permission {
        try await ask { session, channel in
            _ = try await session.call(.basicQos(prefetch: 1), on: channel)
            let consume = OutgoingMethod.basicConsume(
                queue: queue, consumerTag: "actorbus-probe", arguments: ["x-priority": "none"])
            _ = try await session.call(consume, on: channel)
        }
    }

    /// Whether the user may publish to an exchange. Nothing is published: the message has an expiration that is no number.
    ///
    /// For a connection of its own with a short reply time-out. A broker that is low on memory or disk stops reading one
    /// that has published anything, after it has said why (RabbitMQ, "Blocked Connection Notifications"). Throws
    /// ``AMQPError``.
    package func mayPublish(to exchange: String) async throws -> Permission {
        let session = try await openSession()
        if let blocked = session.blocked { return .blocked(blocked.reason) }
        let message = Message(body: [], properties: MessageProperties(expiration: "never"))
        let request = PublishRequest(
            publisher: 0, message: message, exchange: exchange, routingKey: "", mandatory: false)
        do {
            return try await ask { session, channel in
                try session.publish(request, on: channel)
                // Answered behind the publish, with the channel's end.
                _ = try await session.call(.basicQos(prefetch: 1), on: channel)
            }
        } catch let error as AMQPError where error.code == .connectionLost {
            return session.blocked.map { .blocked($0.reason) } ?? .unanswered
        }
    }

    private func ask(_ question: (Session, Channel) async throws -> Void) async throws -> Permission {
        let session = try await openSession()
        do {
            try await session.withChannel { channel in try await question(session, channel) }
            return .granted
        } catch let error as AMQPError {
            switch error.code {
            case .accessRefused: return .refused
            // Looked at behind the right.
            case .preconditionFailed, .notFound, .resourceLocked: return .granted
            case .timedOut: return session.blocked.map { .blocked($0.reason) } ?? .unanswered
            default: throw error
            }
        }
    }
}
