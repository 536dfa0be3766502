internal import Logging

extension AMQPConnection {
    /// The session is over: lets it go and begins to recover, unless the connection is closed.
    func lose(_ session: Session, _ error: AMQPError) {
        let wasOpen = status.state == .open
        drop(session, error)
        guard closed == nil, wasOpen else { return }
        logger.warning("the connection to the broker was lost: \(error); recovering")
        board.update { status in
            status.state = .recovering
            status.problem = error.message
            status.blocked = nil
        }
        noteConsumers()
        recovery = recoverInBackground()
    }

    /// Tries until it succeeds, holding the connection only for each attempt, so that one that is dropped meanwhile
    /// goes.
    func recoverInBackground() -> Task<Void, Never> {
        var backoff = Backoff(configuration.recoveryDelay)
        return Task { [weak self] in
            var attempt: UInt64 = 0
            while let pause = await self?.nextPause(&backoff) {
                do { try await Task.sleep(for: pause) } catch { return }
                attempt += 1
                guard await self?.tryToRecover(attempt: attempt) == false else { return }
            }
        }
    }

    func nextPause(_ backoff: inout Backoff) -> Duration? {
        closed == nil ? backoff.next(using: &random) : nil
    }

    /// One attempt. True when there is nothing left to try: it succeeded, or no attempt ever could.
    func tryToRecover(attempt: UInt64) async -> Bool {
        guard closed == nil else { return true }
        do {
            try await establish()
            logger.info("the connection is back after \(attempt) \(attempt == 1 ? "attempt" : "attempts")")
            return true
        } catch let error as AMQPError where error.canNeverRecover {
            logger.error("the connection cannot be restored: \(error)")
            shut(error)
            return true
        } catch {
            guard closed == nil else { return true }
            logger.warning("attempt \(attempt) to restore the connection failed: \(error)")
            board.update { $0.problem = "\(error)" }
            return false
        }
    }

    func drop(_ session: Session, _ error: AMQPError) {
        session.fail(error)
        if self.session === session { self.session = nil }
    }

    /// Tells every publisher and consumer that it is over.
    func endAll(_ error: AMQPError) {
        for publisher in publishers.values { publisher.failAll(error.message, code: .connectionClosed) }
        publishers = [:]
        for consumer in Array(consumers.values) { end(consumer, error) }
        for waiter in openWaiters { waiter.continuation.resume(throwing: error) }
        openWaiters = []
    }

    /// The end of the connection, whatever led to it. Can be called again.
    func shut(_ error: AMQPError) {
        if closed == nil {
            closed = error
            board.update { $0.problem = error.message }
            endAll(error)
        }
        recovery?.cancel()
        recovery = nil
        if let session { drop(session, error) }
        board.update { status in
            status.state = .closed
            status.problem = status.problem ?? error.message
            status.blocked = nil
        }
        board.finish()
    }
}

extension AMQPError {
    /// Whether another attempt, or another broker of the cluster, may mend it. A queue whose node is down is answered
    /// with 404 too (RabbitMQ: "home node … of durable queue … is down or inaccessible").
    var isWorthRetrying: Bool {
        switch code {
        case .brokerUnreachable, .connectionLost, .closedByBroker, .protocolViolation: true
        case .notFound: replyText?.contains("is down or inaccessible") == true
        default: false
        }
    }

    /// Whether a recovery that meets it is in vain for ever: what the configuration asks for and the broker holds do
    /// not agree. A refused login is not among these, since users and virtual hosts may come back with the broker's
    /// data.
    var canNeverRecover: Bool {
        switch code {
        case .accessRefused, .preconditionFailed: true
        case .notFound: !isWorthRetrying
        default: false
        }
    }
}
