extension AMQPConnection {
    /// Whether the user may publish to an exchange that exists. Nothing is published.
    ///
    /// The message has an expiration that no broker accepts, and RabbitMQ looks at the permission first: it answers 403
    /// for the one and 406 for the other. For a connection of its own: a broker in an alarm stops reading one that has
    /// published, and the connection is then replaced. Throws ``AMQPError``.
    package func mayPublish(to exchange: String) async throws -> Bool {
        let message = Message(body: [], properties: MessageProperties(expiration: "never"))
        let request = PublishRequest(
            publisher: 0, message: message, exchange: exchange, routingKey: "", mandatory: false)
        return try await isAllowed { session, channel in
            try session.publish(request, on: channel)
            // Answered behind the publish, with the channel's end.
            _ = try await session.call(.basicQos(prefetch: 1), on: channel)
        }
    }

    /// Whether the user may consume from a queue that exists. Nothing is delivered.
    ///
    /// The consumer has a priority that is no number, and RabbitMQ looks at the permission first: 403 or 406. Throws
    /// ``AMQPError``.
    package func mayConsume(from queue: String) async throws -> Bool {
        try await isAllowed { session, channel in
            _ = try await session.call(.basicQos(prefetch: 1), on: channel)
            let consume = OutgoingMethod.basicConsume(
                queue: queue, consumerTag: "actorbus-probe", arguments: ["x-priority": "none"])
            _ = try await session.call(consume, on: channel)
        }
    }

    private func isAllowed(_ probe: (Session, Channel) async throws -> Void) async throws -> Bool {
        let session = try await openSession()
        do {
            try await session.withChannel { channel in try await probe(session, channel) }
            return true
        } catch let error as AMQPError where error.code == .preconditionFailed {
            return true
        } catch let error as AMQPError where error.code == .accessRefused {
            return false
        }
    }
}
