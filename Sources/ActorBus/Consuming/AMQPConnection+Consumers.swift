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
        let mailbox = Mailbox()
        let consumer = ConsumerCore(
            id: id, queue: queue, prefetch: prefetch, mailbox: mailbox, inbox: inbox, policy: policy)
        consumer.onEvent = { [weak self] event in self?.assumeIsolated { $0.happened(event, to: id) } }
        consumers[id] = consumer
        try await withTaskCancellationHandler {
            try Task.checkCancellation()
            try await registration(of: consumer)
        } onCancel: {
            inbox.put(.release(consumer: id, unread: mailbox.close()))
        }
        return ConsumerHandle(id: id, mailbox: mailbox)
    }

    /// Asks for the consumer, now or in the recovery under way, and waits until it is there.
    private func registration(of consumer: ConsumerCore) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            // Since the consumer is in the books, a recovery may have dealt with it.
            switch consumer.machine.state {
            case .registered: return continuation.resume()
            case .draining: return continuation.resume(throwing: CancellationError())
            case .closing(let error), .gone(let error):
                return continuation.resume(throwing: error.map { $0 as any Error } ?? CancellationError())
            case .wanted, .registering: break
            }
            registrations[consumer.id, default: []].append(continuation)
            if machine.isOpen { handle(.asked, of: consumer) } else { showStatus() }
        }
    }

    // MARK: The machine's actions

    func handle(_ event: ConsumerMachine.Event, of consumer: ConsumerCore) {
        let actions = consumer.machine.handle(event, at: moment())
        showStatus()
        for action in actions { carryOut(action, for: consumer) }
        showStatus()
    }

    /// As `handle` does, and returns when an attempt that it begins is over: a task of its own would be a way round for whoever
    /// waits for that.
    func handleAndWait(_ event: ConsumerMachine.Event, of consumer: ConsumerCore) async {
        for action in consumer.machine.handle(event, at: moment()) {
            if case .register(let attempt, let occasion) = action, let session {
                await register(consumer, attempt, occasion, in: session)
            } else {
                carryOut(action, for: consumer)
            }
        }
    }

    /// The broker has ended a consumer, or its channel is closed.
    private func happened(_ event: ConsumerMachine.Event, to id: UInt32) {
        // What ends all channels is told when all are closed.
        guard let session, session.failure == nil, let consumer = consumers[id] else { return }
        handle(event, of: consumer)
    }

    private func carryOut(_ action: ConsumerMachine.Action, for consumer: ConsumerCore) {
        switch action {
        case .register(let attempt, let occasion):
            guard let session else { return }
            world.task { await self.register(consumer, attempt, occasion, in: session) }
        case .pause(let until): alarms.set(.consumer(consumer.id), at: until)
        case .admit:
            for waiter in takeRegistrations(of: consumer) { waiter.resume() }
        case .dismiss:
            for waiter in takeRegistrations(of: consumer) { waiter.resume(throwing: CancellationError()) }
        case .fail(let error):
            consumer.giveBack(consumer.mailbox.fail(error))
            for waiter in takeRegistrations(of: consumer) { waiter.resume(throwing: error) }
        case .cancel:
            guard let session, let channel = consumer.channel, channel.isOpen, !channel.isClosing else { return }
            do {
                // Ahead of the frames that give the unread back, or the broker would hand them to us again.
                try session.send(.basicCancel(consumerTag: consumer.consumerTag), on: channel)
            } catch {
                logger.debug("the consumer of '\(consumer.queue)' could not be cancelled at the broker: \(error)")
            }
        case .closeChannel:
            guard let session, let channel = consumer.channel, channel.isOpen else {
                return handle(.channelClosed, of: consumer)
            }
            consumer.closure = world.task {
                await self.close(channel, of: consumer, in: session)
                self.handle(.channelClosed, of: consumer)
            }
        case .tell(let news): tell(news, of: consumer)
        case .forget:
            consumers[consumer.id] = nil
            alarms.clear(.consumer(consumer.id))
        }
    }

    private func takeRegistrations(of consumer: ConsumerCore) -> [CheckedContinuation<Void, any Error>] {
        registrations.removeValue(forKey: consumer.id) ?? []
    }

    /// One attempt to register a consumer.
    private func register(
        _ consumer: ConsumerCore, _ attempt: UInt64, _ occasion: ConsumerMachine.Occasion, in session: Session
    ) async {
        do {
            if occasion == .again {
                try await declareForNow(
                    topology.parts(ofQueue: consumer.queue), in: session, budget: configuration.replyTimeout)
            }
            guard consumer.machine.isRegistering(attempt: attempt) else { return }
            let patience = occasion == .recovery ? configuration.recoveryPatience : nil
            try await consume(consumer, attempt, in: session, patience: patience)
            handle(.accepted(attempt: attempt), of: consumer)
        } catch {
            // What ends the session is told by its end.
            guard session === self.session, session.failure == nil else { return }
            let isDeclaredHere = topology.part(.queue(WireName(consumer.queue))) != nil
            handle(
                .refused(attempt: attempt, AMQPError(of: error), isDeclaredHere: isDeclaredHere), of: consumer)
        }
    }

    /// Asks for deliveries, over a new channel where the consumer has none that is open, and returns with the broker's
    /// consume-ok.
    private func consume(
        _ consumer: ConsumerCore, _ attempt: UInt64, in session: Session, patience: Duration?
    ) async throws {
        let channel: Channel
        if let open = consumer.channel {
            channel = open
        } else {
            channel = try await session.openChannel()
            channel.isExpendable = true
            _ = try await session.call(.basicQos(prefetch: consumer.prefetch), on: channel)
            guard consumer.machine.isRegistering(attempt: attempt) else { return try await session.close(channel) }
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
    }

    /// See ``ConsumerCore/needsTimeToSettle``.
    static let timeToSettle = Duration.milliseconds(250)

    private func close(_ channel: Channel, of consumer: ConsumerCore, in session: Session) async {
        do {
            try consumer.flush(session)
            if consumer.needsTimeToSettle { try await world.sleep(for: Self.timeToSettle) }
            try await session.close(channel, timeout: .seconds(2))
        } catch {
            // Unsettled deliveries go back to their queue with the channel, however it went.
            logger.debug("the channel of '\(consumer.queue)' could not be closed: \(error)")
        }
    }

    private func tell(_ news: ConsumerMachine.News, of consumer: ConsumerCore) {
        let queue = consumer.queue
        switch news {
        case .lost(let error):
            logger.warning("there is no consumer of '\(queue)' for now, and it is asked for again: \(error)")
            report(.consumerLost(queue: queue, error))
        case .missed(let error, let attempts, isLoud: true):
            logger.warning("the consumer of '\(queue)' is still not registered, after \(attempts) attempts: \(error)")
        case .missed(let error, _, isLoud: false):
            logger.debug("the consumer of '\(queue)' could not be registered again: \(error)")
        case .back:
            logger.info("the consumer of '\(queue)' is registered again")
            report(.consumerBack(queue: queue))
        case .ended(let error):
            logger.error("the consumer of '\(queue)' is ended: \(error)")
            report(.consumerEnded(queue: queue, error))
        }
    }

    // MARK: The end of a consumer

    /// Stops the intake: hands nothing more out and cancels the consumer at the broker. What was handed out can still
    /// be settled.
    func release(_ consumer: ConsumerCore, unread: [Delivery]) {
        guard consumer.machine.isWanted else { return }
        consumer.giveBack(unread)
        handle(.released(isIdle: consumer.unsettled == 0), of: consumer)
    }

    /// Waits until the broker has taken all settlements of a consumer, for at most two seconds.
    func finish(_ id: UInt32) async {
        carryOutCommands()
        guard let consumer = consumers[id] else { return }
        release(consumer, unread: consumer.mailbox.close())
        await closeChannel(of: consumer)
    }

    /// Closes the channel of a released consumer, if nothing does already, and waits for that.
    func closeChannel(of consumer: ConsumerCore) async {
        handle(.abandoned, of: consumer)
        await consumer.closure?.value
    }
}
