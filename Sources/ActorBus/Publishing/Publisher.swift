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
        let core = PublisherCore(window: window, timeout: timeout, world: world)
        core.onChannelClosed = { [weak self] in self?.assumeIsolated { $0.reattach(id) } }
        publishers[id] = core
        // While the connection recovers there is nothing to attach to; recovery does it then.
        if let session, status.state == .open {
            do {
                try await attach(core, to: session)
            } catch let error as AMQPError where error.outlook == .passing {
                try checkOpen()
                reattach(id)
            } catch {
                publishers[id] = nil
                throw error
            }
        }
        return Publisher(connection: self, id: id, window: SendWindow(size: window))
    }

    func attach(_ publisher: PublisherCore, to session: Session) async throws {
        guard !publisher.isAttached else { return }
        let channel = try await session.openChannel()
        _ = try await session.call(.confirmSelect, on: channel)
        publisher.attach(channel)
        notePublishers()
    }

    /// Publishers that wait for a new channel after the first attempt; one that is merely being replaced is no news.
    private func notePublishers() {
        let unattached = publishers.values.count { $0.lacksChannel && !$0.isReleased }
        board.update { $0.unattachedPublishers = unattached }
    }

    /// Closes a publisher's channel; the end of it brings the next (``reattach(_:)``).
    func renew(_ channel: Channel, in session: Session) {
        logger.debug("a publisher's channel is replaced, since the broker refused or did not answer a message on it")
        closeChannelOfPublisher(channel, in: session)
    }

    /// Forgets a publisher that nobody holds and that has nothing under way, and closes its channel.
    func retire(_ id: UInt32, _ publisher: PublisherCore) {
        // One that is about to get a channel waits for it, or nobody would close that.
        guard publisher.isAttached || session == nil else { return }
        publishers[id] = nil
        notePublishers()
        if let channel = publisher.detach(), let session { closeChannelOfPublisher(channel, in: session) }
    }

    private func closeChannelOfPublisher(_ channel: Channel, in session: Session) {
        world.task {
            do {
                try await session.close(channel)
            } catch {
                logger.debug("a publisher's channel could not be closed: \(error)")
            }
        }
    }

    /// The broker closed a publisher's channel over one message: the others go on over a new one.
    private func reattach(_ id: UInt32) {
        guard let publisher = publishers[id], let session, session.failure == nil, status.state == .open else { return }
        world.task {
            // When the session is broken too, its recovery attaches every publisher.
            while session.failure == nil, publishers[id] === publisher, !publisher.isAttached {
                do {
                    try await attach(publisher, to: session)
                } catch {
                    guard session.failure == nil, publishers[id] === publisher else { return }
                    publisher.lacksChannel = true
                    notePublishers()
                    logger.warning("a publisher's channel could not be opened again, and will be: \(error)")
                    do { try await world.sleep(for: .seconds(1)) } catch { return }
                }
            }
        }
    }
}
