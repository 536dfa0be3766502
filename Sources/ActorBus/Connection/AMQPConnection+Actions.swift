internal import Logging

/// Carries out what the connection's machine decides, and tells it what came of it.
extension AMQPConnection {
    func handle(_ event: ConnectionMachine.Event) {
        let actions = machine.handle(event, at: moment())
        showStatus()
        for action in actions { carryOut(action) }
        showStatus()
    }

    private func carryOut(_ action: ConnectionMachine.Action) {
        switch action {
        case .prepare(let attempt): take(attempt, .prepare)
        case .resolve(let host, let attempt): take(attempt, .resolve(configuration.endpoints[host]))
        case .reach(let host, let address, let attempt):
            do throws(AMQPError) {
                // Here and not in the task, which may begin when the connection is closed.
                session = try Session(
                    endpoint: configuration.endpoints[host], address: addresses[address], configuration: configuration)
                take(attempt, .connect)
            } catch {
                handle(.step(attempt: attempt, .failed(error)))
            }
        case .logIn(let attempt): take(attempt, .logIn)
        case .restore(let strictly, let attempt): take(attempt, .restore(strictly: strictly))
        case .drop(let error): drop(error)
        case .pause(let until): alarms.set(.connection, at: until)
        case .admit:
            // Whoever came when the restoring was as good as done.
            for publisher in publishers.values where publisher.machine.awaitsConnection {
                handle(.connected, of: publisher)
            }
            for consumer in consumers.values where consumer.machine.awaitsConnection {
                handle(.connected, of: consumer)
            }
            for waiter in takeWaiters() { waiter.continuation.resume() }
        case .refuse(let error):
            for publisher in publishers.values { handle(.ended(error), of: publisher) }
            for consumer in consumers.values { handle(.ended(error), of: consumer) }
            for waiter in takeWaiters() { waiter.continuation.resume(throwing: error) }
        case .sayClose:
            guard let session else { return handle(.closeSaid) }
            goodbye = world.task {
                await session.close(timeout: .seconds(2))
                self.handle(.closeSaid)
            }
        case .tell(let news): tell(news)
        }
    }

    /// What a step of an attempt has to do.
    private enum Step {
        case prepare
        case resolve(ConnectionConfiguration.Endpoint)
        case connect
        case logIn
        case restore(strictly: Bool)
    }

    /// Does a step of an attempt in a task of its own, and says what it came to.
    private func take(_ attempt: UInt64, _ step: Step) {
        world.task {
            do {
                self.handle(.step(attempt: attempt, try await self.take(step)))
            } catch {
                self.handle(.step(attempt: attempt, .failed(AMQPError(of: error))))
            }
        }
    }

    private func take(_ step: Step) async throws -> ConnectionMachine.Step {
        switch step {
        case .prepare:
            try await prepare()
            return .prepared
        case .resolve(let endpoint):
            addresses = try await world.surroundings.addresses(
                of: endpoint, timeout: configuration.connectTimeout)
            return .resolved(addresses: addresses.count)
        case .connect:
            try await liveSession.connected()
            return .connected
        case .logIn:
            try await liveSession.logIn(password: password)
            return .loggedIn
        case .restore(let strictly):
            try await restore(in: liveSession, strictly: strictly)
            return .restored
        }
    }

    /// The session for a step, which may be lost before the step begins.
    private var liveSession: Session {
        get throws(AMQPError) {
            guard let session else { throw machine.lost ?? AMQPError(.connectionLost, "the connection was lost again") }
            return session
        }
    }

    /// The session is over.
    func lose(_ session: Session, _ error: AMQPError) {
        session.fail(error)
        if session === self.session { handle(.lost(error)) }
    }

    private func drop(_ error: AMQPError) {
        guard let session = session.take() else { return }
        session.fail(error)
        for publisher in publishers.values { handle(.disconnected, of: publisher) }
        for consumer in consumers.values { handle(.disconnected, of: consumer) }
        handle(.disconnected as UndeclaredParts.Event)
    }

    private func takeWaiters() -> [OpenWaiter] {
        defer { openWaiters = [] }
        for waiter in openWaiters { alarms.clear(.waiter(waiter.id)) }
        return openWaiters
    }

    /// Wakes who asked for it.
    func ring(now: Instant) {
        for alarm in alarms.takeDue(at: now) {
            switch alarm {
            case .connection: handle(.pauseOver as ConnectionMachine.Event)
            case .part(let name): handle(.pauseOver(name))
            case .publisher(let id):
                if let publisher = publishers[id] { handle(.pauseOver, of: publisher) }
            case .consumer(let id):
                if let consumer = consumers[id] { handle(.pauseOver, of: consumer) }
            case .waiter(let id):
                guard let position = openWaiters.firstIndex(where: { $0.id == id }) else { continue }
                openWaiters.remove(at: position).continuation.resume(
                    throwing: AMQPError(
                        .connectionLost, "the connection did not come back within \(configuration.replyTimeout)"))
            }
        }
    }

    // MARK: What is told

    private func tell(_ news: ConnectionMachine.News) {
        switch news {
        case .connected(let host):
            let (endpoint, server) = (configuration.endpoints[host], session?.serverName ?? "a broker")
            logger.info("connected to \(server) at \(endpoint) as \(configuration.userInWords)")
            if configuration.tls?.dangerouslyAcceptsAnyCertificate == true {
                logger.warning("the broker's certificate was not verified: whoever is on the way can read everything")
            }
            report(.connected(to: endpoint, server: server))
            if let blocked = session?.blocked { report(.blocked(blocked.reason)) }
        case .recovered(let attempts):
            logger.info("the connection is back after \(attempts) \(attempts == 1 ? "attempt" : "attempts")")
            report(.recovered(attempts: attempts, skipped: undeclared.reasons.map { .init($0.name, $0.error) }))
            for name in undeclared.names { handle(.told(name)) }
        case .lost(let error):
            logger.warning("the connection to the broker was lost: \(error); recovering")
            report(.lost(error))
        case .attempt(let number, let pause): report(.attempt(number, after: pause))
        case .attemptFailed(let number, let total, let error, let isLoud):
            if let total {
                logger.warning("attempt \(number) of \(total) to reach the broker failed: \(error)")
            } else if isLoud {
                logger.warning("attempt \(number) to restore the connection failed, more follow: \(error)")
            } else {
                logger.debug("attempt \(number) to restore the connection failed: \(error)")
            }
            report(.attemptFailed(number, error))
        case .brokerAway:
            for consumer in consumers.values { handle(.brokerAway, of: consumer) }
            handle(.brokerAway as UndeclaredParts.Event)
        case .closed(let error):
            alarms = Alarms()
            board.finish()
            report(.closed(error.code == .connectionClosed ? nil : error))
        }
    }

    /// Shows what the machines are doing.
    func showStatus() {
        let wanted = consumers.values.filter(\.machine.isWanted)
        let names = undeclared.names
        board.update { status in
            status.state =
                switch machine.state {
                case .open: .open
                case .closing, .closed: .closed
                case .new: .connecting
                case .preparing(let attempt), .resolving(let attempt), .connecting(let attempt),
                    .loggingIn(let attempt), .restoring(let attempt):
                    attempt.effort.state
                case .waiting(let effort, _): effort.state
                }
            status.consumers = wanted.count
            status.registeredConsumers = wanted.count(where: \.machine.isRegistered)
            status.unattachedPublishers = publishers.values.count { $0.machine.problem != nil && !$0.isReleased }
            status.undeclared = names.count
            status.undeclaredQueues = Set(names.compactMap(\.queue))
            status.omissions = omissions
            status.recoveries = machine.recoveries
            status.blocked = session?.blocked?.reason
            status.problem =
                (machine.problem ?? machine.end)?.description
                ?? wanted.lazy.compactMap(\.machine.problem).first?.message
        }
    }
}

extension ConnectionMachine.Effort {
    fileprivate var state: ConnectionStatus.State {
        switch self {
        case .first: .connecting
        case .recovery: .recovering
        }
    }
}

extension ConnectionEvent.Skipped {
    init(_ name: TopologyPart.Name, _ reason: AMQPError) {
        self.init(resource: name.resource, reason: reason)
    }
}

extension AMQPError {
    /// What a task that works for the connection failed with.
    init(of error: any Error) {
        self = error as? AMQPError ?? AMQPError(.connectionLost, "\(error)")
    }
}

extension AMQPConnection {
    /// What closed the connection for good when its owner did not: an error that no new attempt could mend. Nil while it is
    /// open or comes back by itself, and when its owner closed it.
    package var end: AMQPError? {
        guard let end = machine.end, end.code != .connectionClosed else { return nil }
        return end
    }
}
