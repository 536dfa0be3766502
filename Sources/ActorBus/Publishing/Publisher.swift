internal import Logging

/// Publishes over a channel of its own, and knows of each message whether the broker has it.
///
/// It may be used from any number of tasks. Its channel is closed when the last reference is gone and what it published
/// is answered.
public final class Publisher: Sendable {
    private let connection: AMQPConnection
    private let id: UInt32
    private let window: SendWindow

    init(connection: AMQPConnection, id: UInt32, window: SendWindow) {
        self.connection = connection
        self.id = id
        self.window = window
    }

    deinit { connection.inbox.put(.releasePublisher(id)) }

    /// Publishes a message and returns when the broker has confirmed it (RabbitMQ, "Publisher Confirms"): for a
    /// persistent message to durable queues that means it is on disk, in quorum queues on a majority of nodes.
    ///
    /// Waits while the publisher's window of unconfirmed messages is full, while the broker blocks publishing, and over
    /// a recovery, after which the message is published again as it was; a consumer may then see it twice. The same
    /// happens when another message of the publisher is never answered, since its channel is then replaced. All of it ends
    /// with the publisher's time-out. Of a body above 256 KiB, which is written piece by piece, the time-out counts from
    /// the last piece that the socket took: as long as it gets on, a slow link is no failure.
    ///
    /// - Parameters:
    ///   - exchange: its name; empty for the default exchange, which takes the routing key as a queue's name.
    ///   - mandatory: whether it is an error when no queue takes the message.
    /// - Throws: ``AMQPError``: `returned` (mandatory, and no queue took it), `refused`, `invalidMessage` (it can never be
    ///   published as it is, nor can a ``LargeBody`` whose bytes are lost: do not try it again), `notFound` (no such
    ///   exchange), `accessRefused`, `timedOut` and `connectionClosed` (surely not published), `maybePublished` (written,
    ///   and not known to have arrived). Where the connection was closed for good by an error, ``AMQPError/cause`` of the
    ///   last two names it. `CancellationError` when the task is cancelled before the message was written.
    public func publish(
        _ message: Message, to exchange: String, routingKey: String = "", mandatory: Bool = true
    ) async throws {
        try Task.checkCancellation()
        let request = PublishRequest(
            publisher: id, message: message, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
        let inbox = connection.inbox
        try await withTaskCancellationHandler {
            try await unsafe withUnsafeThrowingContinuation { continuation in
                unsafe request.await(continuation)
                inbox.put(.publish(request))
            }
        } onCancel: {
            inbox.put(.cancelPublish(request))
        }
    }

    /// Publishes a message without waiting for its confirm, for which the returned value waits: one task can so keep the
    /// window full, and its messages keep their order.
    ///
    /// Waits only when as many sent messages are unconfirmed as the publisher's window allows, and then until half of
    /// them are, which their time-out bounds. The message's own time-out counts from there. Everything else is as with
    /// ``publish(_:to:routingKey:mandatory:)``.
    ///
    /// ```swift
    /// var sent: [PendingConfirm] = []
    /// for message in messages { sent.append(try await publisher.send(message, to: "orders")) }
    /// for confirm in sent { try await confirm.confirmed() }
    /// ```
    ///
    /// - Throws: `CancellationError` when the task is cancelled before the message was sent. What goes wrong later,
    ///   ``PendingConfirm/confirmed()`` throws.
    public func send(
        _ message: Message, to exchange: String, routingKey: String = "", mandatory: Bool = true
    ) async throws -> PendingConfirm {
        try Task.checkCancellation()
        try await window.enter()
        let request = PublishRequest(
            publisher: id, message: message, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
        let outcome = PendingOutcome()
        request.tell(outcome, in: window)
        connection.inbox.put(.publish(request))
        return PendingConfirm(outcome: outcome, window: window, connection: connection)
    }
}

extension AMQPConnection {
    /// A publisher with a channel of its own, in confirm mode.
    ///
    /// - Parameters:
    ///   - window: how many messages may be unconfirmed at once; a publish beyond that waits.
    ///   - timeout: how long a publish may take from call to confirm, whatever happens meanwhile; for a body above
    ///     256 KiB, from the last of it that was written.
    /// - Throws: ``AMQPError`` when the connection is closed, or `invalidConfiguration`.
    public func publisher(window: Int = 1_000, timeout: Duration = .seconds(30)) async throws -> Publisher {
        guard window > 0, timeout > .zero else {
            throw AMQPError(
                .invalidConfiguration, "a publisher with a window of \(window) and a time-out of \(timeout)",
                remedy: "both must be above zero")
        }
        try checkOpen()
        let id = makeID()
        let core = PublisherCore(id: id, window: window, timeout: timeout, policy: policy, world: world)
        core.onChannelClosed = { [weak self] in self?.assumeIsolated { $0.lostChannel(ofPublisher: id) } }
        publishers[id] = core
        // While the connection recovers there is nothing to attach to; recovery does it then.
        if machine.isOpen {
            await handleAndWait(.asked, of: core)
            if case .gone(let error?) = core.machine.state { throw error }
        }
        return Publisher(connection: self, id: id, window: SendWindow(size: window))
    }

    // MARK: The machine's actions

    func handle(_ event: PublisherMachine.Event, of publisher: PublisherCore) {
        let actions = publisher.machine.handle(event, at: moment())
        showStatus()
        for action in actions { carryOut(action, for: publisher) }
        showStatus()
    }

    /// As `handle` does, and returns when an attempt that it begins is over: a task of its own would be a way round for whoever
    /// waits for that.
    func handleAndWait(_ event: PublisherMachine.Event, of publisher: PublisherCore) async {
        for action in publisher.machine.handle(event, at: moment()) {
            if case .attach(let attempt) = action, let session {
                await attach(publisher, attempt, to: session)
            } else {
                carryOut(action, for: publisher)
            }
        }
    }

    private func lostChannel(ofPublisher id: UInt32) {
        // What ends all channels is told when all are closed.
        guard let session, session.failure == nil, let publisher = publishers[id] else { return }
        handle(.channelLost, of: publisher)
    }

    private func carryOut(_ action: PublisherMachine.Action, for publisher: PublisherCore) {
        switch action {
        case .attach(let attempt):
            guard let session else { return }
            world.task { await self.attach(publisher, attempt, to: session) }
        case .pause(let until): alarms.set(.publisher(publisher.id), at: until)
        case .closeChannel:
            guard let session, let channel = publisher.channel else { return }
            world.task {
                do {
                    try await session.close(channel)
                } catch {
                    self.logger.debug("a publisher's channel could not be closed: \(error)")
                }
            }
        case .fail(let error): publisher.failAll(error)
        case .tell(let news): tell(news)
        case .forget:
            publisher.detach()
            publishers[publisher.id] = nil
            alarms.clear(.publisher(publisher.id))
        }
    }

    /// One attempt to give a publisher a channel.
    private func attach(_ publisher: PublisherCore, _ attempt: UInt64, to session: Session) async {
        do {
            let channel = try await session.openChannel()
            _ = try await session.call(.confirmSelect, on: channel)
            guard publisher.machine.isAttaching(attempt: attempt) else { return try await session.close(channel) }
            publisher.attach(channel)
            handle(.attached(attempt: attempt), of: publisher)
        } catch {
            // What ends the session is told by its end.
            guard session === self.session, session.failure == nil else { return }
            handle(.refused(attempt: attempt, AMQPError(of: error)), of: publisher)
        }
    }

    private func tell(_ news: PublisherMachine.News) {
        switch news {
        case .lost(let error): logger.warning("a publisher's channel could not be opened, and will be: \(error)")
        case .missed(let error, let attempts, isLoud: true):
            logger.warning("a publisher still has no channel, after \(attempts) attempts: \(error)")
        case .missed(let error, _, isLoud: false): logger.debug("a publisher still has no channel: \(error)")
        case .back: logger.info("a publisher has its channel again")
        }
    }
}
