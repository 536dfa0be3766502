internal import Logging

extension AMQPConnection {
    func openFirst() async throws {
        let attempts = max(1, configuration.connectAttempts)
        for attempt in 1...attempts {
            do {
                try await establish()
                return
            } catch let error as AMQPError where error.isWorthRetrying {
                guard closed == nil else { throw error }
                board.update { $0.problem = error.message }
                logger.warning("attempt \(attempt) of \(attempts) to reach the broker failed: \(error)")
                guard attempt < attempts else {
                    throw AMQPError(
                        .brokerUnreachable,
                        "no broker could be reached at \(configuration.endpointList) in \(attempts) "
                            + "\(attempts == 1 ? "attempt" : "attempts"); "
                            + "the last: \(error.message)",
                        remedy: "check that the broker runs and that host and port are right")
                }
                try await Task.sleep(for: configuration.connectDelay)
            }
        }
    }

    /// One attempt at every endpoint: connects and makes everything anew that the connection stands for.
    func establish() async throws {
        var failures: [String] = []
        for offset in 0..<configuration.endpoints.count {
            let endpoint = configuration.endpoints[(nextEndpoint + offset) % configuration.endpoints.count]
            do {
                let session = try await connect(to: endpoint)
                do {
                    try await restore(in: session)
                } catch {
                    drop(session, AMQPError(.connectionLost, "the connection could not be made ready"))
                    throw error
                }
                nextEndpoint = (nextEndpoint + offset) % configuration.endpoints.count
                logger.info("connected to \(session.serverName) at \(endpoint) as '\(configuration.user)'")
                return
            } catch let error as AMQPError where error.isWorthRetrying {
                try checkOpen()
                failures.append("\(endpoint): \(error.message)")
            }
        }
        nextEndpoint = (nextEndpoint + 1) % configuration.endpoints.count
        throw AMQPError(.brokerUnreachable, failures.joined(separator: ", "))
    }

    /// Resolves, connects and logs in, trying each address that the name stands for.
    func connect(to endpoint: ConnectionConfiguration.Endpoint) async throws -> Session {
        var last: any Error = AMQPError(.brokerUnreachable, "the host name '\(endpoint.host)' has no address")
        for address in try await NameResolver.addresses(of: endpoint, timeout: configuration.connectTimeout) {
            try checkOpen()
            do {
                let session = try Session(endpoint: endpoint, address: address, configuration: configuration)
                self.session = session
                do {
                    try await session.open()
                } catch {
                    drop(session, AMQPError(.connectionLost, "the login failed"))
                    throw error
                }
                return session
            } catch let error as AMQPError where error.isWorthRetrying {
                last = error
            }
        }
        throw last
    }

    /// Declares the topology, then gives every publisher and consumer a channel of the new session. Ready only when all
    /// is done.
    func restore(in session: Session) async throws {
        try await declare(topology, in: session)
        // Each look is a new one, since tasks may add publishers and consumers meanwhile.
        while true {
            if let publisher = publishers.values.first(where: { !$0.isAttached }) {
                try await attach(publisher, to: session)
                continue
            }
            guard let consumer = consumers.values.first(where: { !$0.isReleased && !$0.isRegistered }) else { break }
            do {
                try await register(consumer, in: session)
            } catch let error as AMQPError where !error.isWorthRetrying && closed == nil && session.failure == nil {
                end(consumer, error)
            }
        }
        if let failure = session.failure { throw failure }
        try checkOpen()
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

    /// Declares the whole topology once more.
    func declareAgain(in session: Session) async throws { try await declare(topology, in: session) }

    func declare(_ topology: Topology, in session: Session) async throws {
        guard topology != Topology() else { return }
        try await session.withChannel { channel in try await declare(topology, in: session, on: channel) }
    }

    private func declare(_ topology: Topology, in session: Session, on channel: Channel) async throws {
        for exchange in topology.exchanges {
            try await explaining("declaring the exchange '\(exchange.name)'") {
                _ = try await session.call(.exchangeDeclare(exchange, passive: false), on: channel)
            }
        }
        for queue in topology.queues {
            try await explaining("declaring the queue '\(queue.name)'") {
                _ = try await session.call(.queueDeclare(queue, passive: false), on: channel)
            }
            for binding in queue.bindings {
                try await explaining("binding the queue '\(queue.name)' to the exchange '\(binding.exchange)'") {
                    _ = try await session.call(.queueBind(queue: queue.name, binding: binding), on: channel)
                }
            }
        }
    }

    /// Says in front of an error of the broker what was tried.
    func explaining(_ action: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch var error as AMQPError where error.replyCode != nil {
            error.message = "\(action) failed: \(error.message)"
            throw error
        }
    }
}

extension ConnectionConfiguration {
    var endpointList: String { endpoints.map(\.description).joined(separator: ", ") }
}
