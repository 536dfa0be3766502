internal import Logging

/// The steps of an attempt that are more than a call of the session.
extension AMQPConnection {
    /// Asks for the password of an attempt; the last one is good enough to try where the source has no other. Throws
    /// ``AMQPError`` when the source does not answer in time, which another attempt may mend, and when what it gives cannot
    /// be sent.
    func prepare() async throws {
        if let source = configuration.passwordSource {
            let timeout = configuration.connectTimeout
            let overdue = AMQPError(
                .brokerUnreachable, "the password did not come from its source within \(timeout)",
                remedy: "look why the source of the password does not answer")
            do {
                password = try await world.withTimeLimit(timeout, overdue: overdue) {
                    do { return try await source() } catch { throw NoPassword(reason: error) }
                }
            } catch let error as NoPassword {
                logger.warning("the password could not be had anew, and the last one is used: \(error.reason)")
            }
        }
        try configuration.checkLogin(password: password)
    }

    /// That the source of the password has none.
    private struct NoPassword: Error {
        let reason: any Error
    }

    /// Declares the topology, then gives every publisher and consumer a channel of the new session.
    ///
    /// The first time everything has to be there before the connection is open. In a recovery what is refused, or not
    /// answered soon, is asked for again later: one queue whose node is away must not hold up the rest.
    func restore(in session: Session, strictly: Bool) async throws {
        if strictly {
            for part in topology.parts { try await declare(part, in: session) }
        } else {
            try await declareForNow(topology.parts, in: session, budget: configuration.recoveryPatience * 2)
        }
        // Each look is a new one, since tasks may add publishers and consumers meanwhile.
        while session.failure == nil, machine.end == nil {
            if let publisher = publishers.values.first(where: \.machine.awaitsConnection) {
                await handleAndWait(.connected, of: publisher)
            } else if let consumer = consumers.values.first(where: \.machine.awaitsConnection) {
                await handleAndWait(.connected, of: consumer)
            } else {
                break
            }
        }
        if let failure = session.failure { throw failure }
    }
}
