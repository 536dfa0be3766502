internal import Logging

extension AMQPConnection {
    /// Declares one part over a channel of its own, which a refusal closes. Throws ``AMQPError``.
    func declare(_ part: TopologyPart, in session: Session, timeout: Duration? = nil) async throws {
        try await session.withChannel { channel in try await declare(part, in: session, on: channel, timeout) }
    }

    private func declare(
        _ part: TopologyPart, in session: Session, on channel: Channel, _ timeout: Duration?
    ) async throws {
        func call(_ action: String, _ method: OutgoingMethod) async throws {
            do {
                _ = try await session.call(method, on: channel, timeout: timeout)
            } catch var error as AMQPError where error.replyCode != nil || error.code == .timedOut {
                error.message = "\(action) failed: \(error.message)"
                throw error
            }
        }
        switch part {
        case .exchange(let exchange):
            try await call("declaring \(part.name)", .exchangeDeclare(exchange, passive: false))
        case .queue(let queue):
            try await call("declaring \(part.name)", .queueDeclare(queue, passive: false))
            for binding in queue.bindings {
                try await call(
                    "binding \(part.name) to the exchange '\(binding.exchange)'",
                    .queueBind(queue: queue.name, binding: binding))
            }
        }
    }

    /// Tries every part, over one channel for as long as that lasts, and returns those that failed, with why. Those for
    /// which no time is left are among them. Throws what ended the session or the connection.
    func declareEach(
        _ parts: [TopologyPart], in session: Session, budget: Duration? = nil
    ) async throws -> [(part: TopologyPart, error: AMQPError)] {
        var failures: [(part: TopologyPart, error: AMQPError)] = []
        let end = budget.map { world.now + $0 }
        let timeout = min(configuration.recoveryPatience, configuration.replyTimeout)
        var rest = parts[...]
        while !rest.isEmpty {
            let channel: Channel
            do {
                channel = try await session.openChannel()
            } catch let error as AMQPError {
                if let failure = session.failure { throw failure }
                try checkOpen()
                failures.append((rest.removeFirst(), error))
                continue
            }
            channel.isExpendable = true
            while channel.isOpen, let part = rest.popFirst() {
                do {
                    if let end, world.now >= end {
                        throw AMQPError(.timedOut, "\(part.name) had to wait for others that took too long")
                    }
                    try await declare(part, in: session, on: channel, timeout)
                } catch let error as AMQPError {
                    failures.append((part, error))
                }
            }
            if let failure = session.failure { throw failure }
            do {
                try await session.close(channel, timeout: timeout)
            } catch {
                // All that it was for has been answered.
                if let failure = session.failure { throw failure }
                logger.debug("a channel for declaring could not be closed: \(error)")
            }
        }
        return failures
    }

    /// Declares what can be declared now; the rest is asked for again later. Throws what ends the session or the connection.
    func declareForNow(_ parts: [TopologyPart], in session: Session, budget: Duration) async throws {
        let failures = try await declareEach(parts, in: session, budget: budget)
        for part in parts {
            guard let error = failures.first(where: { $0.part.name == part.name })?.error else {
                handle(.declared(part.name))
                continue
            }
            if let queue = part.name.queue { omissions[queue, default: 0] += 1 }
            handle(.leftOut(part.name, error))
            try checkOpen()
        }
    }

    // MARK: What is left out

    func handle(_ event: UndeclaredParts.Event) {
        let actions = undeclared.handle(event, at: moment())
        showStatus()
        for action in actions { carryOut(action) }
    }

    private func carryOut(_ action: UndeclaredParts.Action) {
        switch action {
        case .pause(let name, let until): alarms.set(.part(name), at: until)
        case .declare(let name):
            guard let session, let part = topology.part(name) else { return handle(.declared(name)) }
            world.task { await self.declareAgain(part, in: session) }
        case .end(let error):
            logger.error("the connection cannot be restored: for \(configuration.refusalPatience) now, \(error)")
            handle(.ended(error))
        case .tell(.skipped(let name, let error, let isNew, let isLoud)):
            if isLoud {
                logger.warning(
                    "\(undeclared.names.count) exchanges or queues are left out for now and asked for again: \(error)")
            } else {
                logger.debug("\(name) is left out for now: \(error)")
            }
            // What a recovery has to leave out is told when that is done.
            if isNew, machine.isOpen { report(.skipped(.init(name, error))) }
        case .tell(.restored(let name)):
            logger.debug("\(name) is declared again")
            if undeclared.isEmpty { logger.info("every exchange and queue is declared again") }
            report(.restored(name.resource))
        }
    }

    private func declareAgain(_ part: TopologyPart, in session: Session) async {
        do {
            try await declare(part, in: session)
            if session === self.session { handle(.declared(part.name)) }
        } catch {
            // What ends the session is told by its end.
            guard session === self.session, session.failure == nil else { return }
            handle(.refused(part.name, AMQPError(of: error)))
        }
    }
}
