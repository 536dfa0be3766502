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
            while channel.closed == nil, let part = rest.popFirst() {
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

    /// Declares what can be declared now, and begins to ask again for the rest. Throws what ends the session or the
    /// connection.
    func declareForNow(_ parts: [TopologyPart], in session: Session, budget: Duration) async throws {
        let failures = try await declareEach(parts, in: session, budget: budget)
        for part in parts where !failures.contains(where: { $0.part.name == part.name }) { noteDeclared(part.name) }
        for (part, error) in failures {
            if undeclared.insert(part.name).inserted { askAgain(for: part.name) }
            try endIfRefusedForGood(part.name, error)
        }
        let leftOut = Self.queues(failures.map(\.part.name))
        updateUndeclared { status in
            for queue in leftOut { status.omissions[queue, default: 0] += 1 }
        }
        if undeclared.isEmpty { undeclaredLog = AttemptLog() }
        if let last = failures.last { logUndeclared(last.part.name, last.error) }
    }

    private func noteDeclared(_ name: TopologyPart.Name) {
        refusals.granted(.part(name))
        guard undeclared.remove(name) != nil else { return }
        updateUndeclared()
        logger.debug("\(name) is declared again")
        guard undeclared.isEmpty else { return }
        undeclaredLog = AttemptLog()
        logger.info("every exchange and queue is declared again")
    }

    private func updateUndeclared(_ change: (inout ConnectionStatus) -> Void = { _ in }) {
        let queues = Set(Self.queues(undeclared))
        board.update { status in
            status.undeclared = undeclared.count
            status.undeclaredQueues = queues
            change(&status)
        }
    }

    private static func queues(_ names: some Sequence<TopologyPart.Name>) -> [String] {
        names.compactMap { if case .queue(let name) = $0 { name.text } else { nil } }
    }

    /// One line for all that is left out, since a node that is away takes many queues with it.
    private func logUndeclared(_ name: TopologyPart.Name, _ error: AMQPError) {
        if undeclaredLog.failed(at: world.now) {
            logger.warning("\(undeclared.count) exchanges or queues are left out for now and asked for again: \(error)")
        } else {
            logger.debug("\(name) is left out for now: \(error)")
        }
    }

    /// A topology that differs, or a right that is missing, ends the connection when it has lasted.
    private func endIfRefusedForGood(_ name: TopologyPart.Name, _ error: AMQPError) throws(AMQPError) {
        let isFinal = refusals.note(
            error, isRefusal: error.outlook == .refused, of: .part(name), at: world.now)
        guard isFinal else { return }
        logger.error("the connection cannot be restored: for \(configuration.refusalPatience) now, \(error)")
        shut(error)
        throw error
    }

    /// Asks again until the part is declared, or the session is over. Holds the connection only for each attempt, so that
    /// one that is dropped meanwhile goes.
    private func askAgain(for name: TopologyPart.Name) {
        let (range, session) = (configuration.recoveryDelay, sessions)
        world.task { [weak self, world] in
            var backoff = Backoff(range)
            while let pause = await self?.pauseBeforeAsking(for: name, inSession: session, &backoff) {
                do { try await world.sleep(for: pause) } catch { return }
                await self?.askOnce(for: name, inSession: session)
            }
        }
    }

    private func pauseBeforeAsking(
        for name: TopologyPart.Name, inSession number: UInt64, _ backoff: inout Backoff
    ) -> Duration? {
        guard number == sessions, session != nil, undeclared.contains(name) else { return nil }
        return backoff.next(using: &random)
    }

    private func askOnce(for name: TopologyPart.Name, inSession number: UInt64) async {
        guard number == sessions, let session, undeclared.contains(name) else { return }
        guard let part = topology.part(name) else { return noteDeclared(name) }
        do {
            try await declare(part, in: session)
            if session === self.session { noteDeclared(name) }
        } catch let error as AMQPError {
            guard session === self.session, session.failure == nil, closed == nil else { return }
            do { try endIfRefusedForGood(name, error) } catch { return }
            logUndeclared(name, error)
        } catch {
            logger.debug("\(name) is still left out: \(error)")
        }
    }
}
