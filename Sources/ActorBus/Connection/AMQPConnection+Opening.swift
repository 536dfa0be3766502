internal import Logging

extension AMQPConnection {
    func openFirst() async throws {
        let attempts = max(1, configuration.connectAttempts)
        for attempt in 1...attempts {
            do {
                try await establish()
                return
            } catch let error as AMQPError where error.outlook == .passing {
                guard closed == nil else { throw error }
                board.update { $0.problem = error.message }
                logger.warning("attempt \(attempt) of \(attempts) to reach the broker failed: \(error)")
                guard attempt < attempts else { throw Self.exhausted(configuration, attempts, error) }
                try await world.sleep(for: configuration.connectDelay)
            }
        }
    }

    private static func exhausted(
        _ configuration: ConnectionConfiguration, _ attempts: Int, _ last: AMQPError
    ) -> AMQPError {
        var error = last
        error.code = .brokerUnreachable
        error.message =
            "no broker could be \(last.cause == nil ? "reached" : "used") at \(configuration.endpointList) in \(attempts) "
            + "\(attempts == 1 ? "attempt" : "attempts"); the last: \(last.message)"
        error.remedy = last.remedy ?? "check that the broker runs and that host and port are right"
        return error
    }

    /// One attempt at every address of every endpoint, until one lets us work: connects and makes anew everything that the
    /// connection stands for.
    func establish() async throws {
        let password = try await askForPassword()
        try configuration.checkLogin(password: password)
        var attempt = FailedAttempt()
        for position in rotation.order(of: configuration.endpoints.count) {
            let endpoint = configuration.endpoints[position]
            do {
                for address in try await world.surroundings.addresses(
                    of: endpoint, timeout: configuration.connectTimeout)
                {
                    try checkOpen()
                    do {
                        try await establish(at: endpoint, address, password)
                        return rotation.succeeded(at: position)
                    } catch let error as AMQPError {
                        try checkOpen()
                        attempt.note(error, at: endpoint.description)
                    }
                }
            } catch let error as AMQPError {
                try checkOpen()
                attempt.note(error, at: endpoint.description)
            }
        }
        rotation.failed(of: configuration.endpoints.count)
        throw attempt.error
    }

    private func establish(
        at endpoint: ConnectionConfiguration.Endpoint, _ address: ResolvedAddress, _ password: String
    ) async throws {
        let session = try Session(endpoint: endpoint, address: address, configuration: configuration)
        self.session = session
        sessions += 1
        do {
            try await session.open(password: password)
            try await restore(in: session)
        } catch {
            drop(session, AMQPError(.connectionLost, "the connection could not be made ready"))
            throw error
        }
        logger.info("connected to \(session.serverName) at \(endpoint) as '\(configuration.user)'")
    }

    /// The password for the next attempt; the last one where the source has no other. Throws when it does not answer in
    /// time, which another attempt may mend.
    private func askForPassword() async throws -> String {
        guard let source = configuration.passwordSource else { return password }
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
        return password
    }

    /// That the source of the password has none.
    private struct NoPassword: Error {
        let reason: any Error
    }

    /// Declares the topology, then gives every publisher and consumer a channel of the new session.
    ///
    /// The first time everything has to be there before the connection is open. In a recovery what is refused, or not
    /// answered soon, is asked for again in the background: one queue whose node is away must not hold up the rest.
    func restore(in session: Session) async throws {
        if status.state == .connecting {
            for part in topology.parts { try await declare(part, in: session) }
        } else {
            undeclared = []
            try await declareForNow(topology.parts, in: session, budget: configuration.recoveryPatience * 2)
        }
        // Each look is a new one, since tasks may add publishers and consumers meanwhile.
        while true {
            if let publisher = publishers.values.first(where: { !$0.isAttached }) {
                try await attach(publisher, to: session)
                continue
            }
            guard let consumer = consumers.values.first(where: { $0.isToBeRegistered(in: session) }) else { break }
            do {
                try await register(consumer, in: session, patience: configuration.recoveryPatience)
            } catch let error as AMQPError where closed == nil && session.failure == nil {
                retry(consumer, in: session, after: error)
            }
        }
        if let failure = session.failure { throw failure }
        try checkOpen()
        backoff.succeeded(at: world.now)
        board.update { status in
            if status.state == .recovering { status.recoveries += 1 }
            status.state = .open
            status.problem = nil
            status.blocked = session.blocked?.reason
        }
        noteConsumers()
        for waiter in openWaiters { waiter.continuation.resume() }
        openWaiters = []
    }
}

extension ConnectionConfiguration {
    var endpointList: String { endpoints.map(\.description).joined(separator: ", ") }
}
