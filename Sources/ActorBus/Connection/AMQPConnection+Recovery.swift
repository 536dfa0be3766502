internal import Logging

extension AMQPConnection {
    /// The session is over: lets it go and begins to recover, unless the connection is closed.
    func lose(_ session: Session, _ error: AMQPError) {
        let wasOpen = status.state == .open
        drop(session, error)
        // One that did not last is not asked first again.
        if wasOpen, !backoff.lost(at: world.now) { rotation.failed(of: configuration.endpoints.count) }
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
    private func recoverInBackground() -> Task<Void, Never> {
        world.task { [weak self, world] in
            var attempts = AttemptLog()
            while let pause = await self?.nextPause() {
                do { try await world.sleep(for: pause) } catch { return }
                guard await self?.tryToRecover(&attempts) == false else { return }
            }
        }
    }

    private func nextPause() -> Duration? { closed == nil ? backoff.next(using: &random) : nil }

    /// One attempt. True when there is nothing left to try: it succeeded, or the connection is closed.
    private func tryToRecover(_ attempts: inout AttemptLog) async -> Bool {
        guard closed == nil else { return true }
        do {
            try await establish()
            let count = attempts.failed + 1
            logger.info("the connection is back after \(count) \(count == 1 ? "attempt" : "attempts")")
            return true
        } catch {
            guard closed == nil else { return true }
            // Whatever it is, it is tried again: users, virtual hosts and names may come back. What never will is found by
            // asking for it over a connection that is open.
            if (error as? AMQPError)?.replyCode == nil { refusals.forget() }
            board.update { $0.problem = "\(error)" }
            if attempts.failed(at: world.now) {
                logger.warning("attempt \(attempts.failed) to restore the connection failed, more follow: \(error)")
            } else {
                logger.debug("attempt \(attempts.failed) to restore the connection failed: \(error)")
            }
            return false
        }
    }

    func drop(_ session: Session, _ error: AMQPError) {
        session.fail(error)
        if self.session === session { self.session = nil }
    }

    /// Tells every publisher and consumer that it is over.
    func endAll(_ error: AMQPError) {
        for publisher in publishers.values { publisher.failAll(error) }
        publishers = Roster()
        for consumer in consumers.values { end(consumer, error) }
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
