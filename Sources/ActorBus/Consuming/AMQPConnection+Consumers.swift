internal import Logging

/// A consumer as tasks see it.
struct ConsumerHandle: Sendable {
    let id: UInt32
    let mailbox: Mailbox
}

extension AMQPConnection {
    /// Registers a consumer and returns when the broker has said so, after a recovery if one is under way.
    /// Throws ``AMQPError``, and `CancellationError`.
    func startConsumer(of queue: String, prefetch: UInt16) async throws -> ConsumerHandle {
        guard prefetch > 0 else {
            throw AMQPError(
                .invalidConfiguration, "a prefetch of 0 for the queue '\(queue)' would mean no bound at all",
                remedy: "use 1 to 65535")
        }
        try checkOpen()
        let id = makeID()
        let consumer = ConsumerCore(
            id: id, queue: queue, prefetch: prefetch, mailbox: Mailbox(), inbox: inbox,
            backoff: Backoff(configuration.recoveryDelay), world: world)
        consumer.onEnded = { [weak self] error in self?.assumeIsolated { $0.ended(id, error) } }
        consumers[id] = consumer
        noteConsumers()
        if let session, status.state == .open {
            do {
                try await register(consumer, in: session)
            } catch let error as AMQPError
                where session.failure != nil || error.outlook == .passing && !isMissing(queue, error)
            {
                try checkOpen()
                // Without this session recovery does it.
                if session.failure == nil { retry(consumer, in: session, after: error) }
            } catch {
                end(consumer, error)
                throw error
            }
        }
        let mailbox = consumer.mailbox
        try await withTaskCancellationHandler {
            try await registration(of: consumer)
        } onCancel: {
            inbox.put(.release(consumer: id, unread: mailbox.close()))
        }
        return ConsumerHandle(id: id, mailbox: mailbox)
    }

    /// Asks for deliveries, over a new channel where the consumer has none that is open. The consumer counts as
    /// registered with the broker's consume-ok.
    func register(_ consumer: ConsumerCore, in session: Session, patience: Duration? = nil) async throws {
        consumer.isRegistering = true
        defer { consumer.isRegistering = false }
        let channel: Channel
        if let open = consumer.channel {
            channel = open
        } else {
            channel = try await session.openChannel()
            channel.isExpendable = true
            _ = try await session.call(.basicQos(prefetch: consumer.prefetch), on: channel)
            guard !consumer.isReleased else { return try await session.close(channel) }
            consumer.attach(channel)
        }
        consumer.ask()
        do {
            _ = try await session.call(
                .basicConsume(queue: consumer.queue, consumerTag: consumer.consumerTag), on: channel, timeout: patience)
        } catch var error as AMQPError where error.replyCode != nil || error.code == .timedOut {
            error.message = "consuming from the queue '\(consumer.queue)' failed: \(error.message)"
            throw error
        }
        guard consumers[consumer.id] === consumer, !consumer.isReleased else { return }
        guard !consumer.wasCancelled else {
            throw AMQPError(
                .closedByBroker, "the broker cancelled the consumer of '\(consumer.queue)' as soon as it was there")
        }
        consumer.registered(at: world.now)
        refusals.granted(.consumer(consumer.id))
        noteConsumers()
        for waiter in registrations.removeValue(forKey: consumer.id) ?? [] { waiter.resume() }
    }

    private func registration(of consumer: ConsumerCore) async throws {
        try Task.checkCancellation()
        // Looked at where the waiter is put down: a task that prefers another executor is put off at the call in between.
        try await withCheckedThrowingContinuation { waiter in
            if consumer.isRegistered { return waiter.resume() }
            guard consumers[consumer.id] === consumer, !consumer.isReleased else {
                let error = AMQPError(.connectionClosed, "the consumer of '\(consumer.queue)' was ended")
                return waiter.resume(throwing: Task.isCancelled ? CancellationError() : error)
            }
            registrations[consumer.id, default: []].append(waiter)
        }
    }

    /// Stops the intake: hands nothing more out and cancels the consumer at the broker. What was handed out can still
    /// be settled.
    func release(_ consumer: ConsumerCore, unread: [Delivery]) {
        guard !consumer.isReleased else { return }
        if let session, let channel = consumer.channel, channel.closed == nil, !channel.isClosing {
            do {
                // Ahead of the frames that give the unread back, or the broker would hand them to us again.
                try session.send(.basicCancel(consumerTag: consumer.consumerTag), on: channel)
            } catch {
                logger.debug("the consumer of '\(consumer.queue)' could not be cancelled at the broker: \(error)")
            }
        }
        consumer.release(unread: unread)
        noteConsumers()
        failRegistrations(of: consumer, CancellationError())
        if consumer.unsettled == 0 { retire(consumer) }
    }

    /// Closes the channel of a released consumer that has nothing unsettled, once, and forgets it.
    @discardableResult
    func retire(_ consumer: ConsumerCore) -> Task<Void, Never> {
        if let retirement = consumer.retirement { return retirement }
        let retirement = world.task { await closeChannel(of: consumer) }
        consumer.retirement = retirement
        return retirement
    }

    /// Waits until the broker has taken all settlements of a released consumer, for at most two seconds.
    func finish(_ id: UInt32) async {
        carryOutCommands()
        guard let consumer = consumers[id] else { return }
        release(consumer, unread: consumer.mailbox.close())
        await retire(consumer).value
    }

    private func closeChannel(of consumer: ConsumerCore) async {
        defer { forget(consumer) }
        guard let session, let channel = consumer.channel, channel.closed == nil else { return }
        do {
            try consumer.flush(session)
            try await session.close(channel, timeout: .seconds(2))
        } catch {
            // Unsettled deliveries go back to their queue with the channel, however it went.
            logger.debug("the channel of '\(consumer.queue)' could not be closed: \(error)")
        }
    }

    /// Ends a consumer with an error that its reader is to see.
    func end(_ consumer: ConsumerCore, _ error: any Error) {
        _ = consumer.mailbox.fail(error)
        consumer.release(unread: [])
        if closed == nil, consumer.channel != nil {
            retire(consumer)
        } else {
            forget(consumer)
        }
        failRegistrations(of: consumer, error)
    }

    /// The broker ended the consumer, or closed its channel, while the connection lives on.
    private func ended(_ id: UInt32, _ error: AMQPError) {
        noteConsumers()
        guard let consumer = consumers[id] else { return }
        guard !consumer.isReleased else {
            // Behind a mere basic.cancel what was handed out can still be settled.
            if consumer.channel == nil { forget(consumer) }
            return
        }
        guard !consumer.isRegistering else { return }
        guard let session, session.failure == nil, status.state == .open else { return }
        retry(consumer, in: session, after: error)
    }

    /// Begins to register a consumer again, unless that is under way.
    func retry(_ consumer: ConsumerCore, in session: Session, after error: AMQPError) {
        board.update { $0.problem = error.message }
        guard consumer.restoringSession !== session else { return }
        logger.warning("there is no consumer of '\(consumer.queue)' for now, and it is asked for again: \(error)")
        consumer.restoringSession = session
        world.task { await registerAgain(consumer, in: session) }
    }

    /// Whether a queue does not exist that nobody here declares. One of the topology is declared again.
    private func isMissing(_ queue: String, _ error: AMQPError) -> Bool {
        error.code == .notFound && topology.part(.queue(WireName(queue))) == nil
    }

    /// Declares the queue again, since it may be gone, and registers the consumer again, until that succeeds or the broker
    /// has refused it for long enough: because the user may not read the queue, or because there is no such queue and
    /// nobody here declares it.
    private func registerAgain(_ consumer: ConsumerCore, in session: Session) async {
        defer { if consumer.restoringSession === session { consumer.restoringSession = nil } }
        var attempts = AttemptLog()
        // Why it is begun was told.
        _ = attempts.failed(at: world.now)
        while isToBeRegistered(consumer, in: session) {
            do {
                try await world.sleep(for: consumer.backoff.next(using: &random))
                guard isToBeRegistered(consumer, in: session) else { return }
                try await declareForNow(
                    topology.parts(ofQueue: consumer.queue), in: session, budget: configuration.replyTimeout)
                guard isToBeRegistered(consumer, in: session) else { return }
                try await register(consumer, in: session)
                board.update { $0.problem = nil }
                logger.info("the consumer of '\(consumer.queue)' is registered again")
            } catch let error as AMQPError {
                guard isToBeRegistered(consumer, in: session) else { return }
                let isRefusal = error.outlook == .refused || isMissing(consumer.queue, error)
                if refusals.note(error, isRefusal: isRefusal, of: .consumer(consumer.id), at: world.now) {
                    logger.error(
                        "the consumer of '\(consumer.queue)' is ended, for \(configuration.refusalPatience) now: \(error)"
                    )
                    return end(consumer, error)
                }
                board.update { $0.problem = error.message }
                if attempts.failed(at: world.now) {
                    logger.warning(
                        "the consumer of '\(consumer.queue)' is still not registered, after \(attempts.failed - 1) attempts: \(error)"
                    )
                } else {
                    logger.debug("the consumer of '\(consumer.queue)' could not be registered again: \(error)")
                }
            } catch {
                return logger.debug("the consumer of '\(consumer.queue)' is not registered again: \(error)")
            }
        }
    }

    private func isToBeRegistered(_ consumer: ConsumerCore, in session: Session) -> Bool {
        session.failure == nil && consumers[consumer.id] === consumer && !consumer.isReleased && !consumer.isRegistered
    }

    private func forget(_ consumer: ConsumerCore) {
        consumers[consumer.id] = nil
        refusals.granted(.consumer(consumer.id))
        noteConsumers()
    }

    private func failRegistrations(of consumer: ConsumerCore, _ error: any Error) {
        for waiter in registrations.removeValue(forKey: consumer.id) ?? [] { waiter.resume(throwing: error) }
    }

    /// Brings the status up to date.
    func noteConsumers() {
        let wanted = consumers.values.filter { !$0.isReleased }
        board.update { status in
            status.consumers = wanted.count
            status.registeredConsumers = wanted.filter(\.isRegistered).count
        }
    }
}
