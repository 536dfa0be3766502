public import Logging

/// A connection to RabbitMQ that keeps itself open: after the first success it comes back from every loss by itself,
/// with its topology, its consumers and its unconfirmed messages.
///
/// The connection is an actor on a thread of its own. Everything that touches the socket, or may block, happens on that
/// thread, and tasks of yours only where you ask for it (``taskExecutor``). Close it with ``close()``, or use
/// ``withConnection(to:topology:logger:_:)``. A connection that is only dropped closes its socket without a word to the
/// broker.
///
/// Publish and consume over a connection each: a broker in an alarm stops reading the socket of a publisher, and with
/// it the acknowledgments of a consumer beside it (RabbitMQ, "Memory and Disk Alarms").
public actor AMQPConnection {
    public nonisolated let configuration: ConnectionConfiguration
    nonisolated let logger: Logger
    nonisolated let inbox: Inbox
    nonisolated let board = StatusBoard()
    nonisolated let thread: any LoopThread
    nonisolated let world: World

    var session: Session?
    /// How many sessions there were, so that what was begun for one knows when it is over.
    var sessions: UInt64 = 0
    var topology: Topology
    var publishers = Roster<UInt32, PublisherCore>()
    var consumers = Roster<UInt32, ConsumerCore>()
    /// Tasks that wait until a consumer is registered.
    var registrations: [UInt32: [CheckedContinuation<Void, any Error>]] = [:]
    /// Tasks that wait until the connection is open again, the oldest first.
    var openWaiters: [OpenWaiter] = []
    /// Why the connection is closed for good; nil while it is not.
    var closed: AMQPError?
    var recovery: Task<Void, Never>?
    var nextID: UInt32 = 0
    var rotation = HostRotation()
    var backoff: Backoff
    /// What the broker refuses, and since when.
    var refusals: LastingRefusals<RefusedThing>
    /// Parts of the topology that the broker did not take at the last recovery, each with a task that asks again.
    var undeclared: Set<TopologyPart.Name> = []
    /// Which of the attempts to declare them are told.
    var undeclaredLog = AttemptLog()
    /// The last password that was had.
    var password: String
    var commands: [Inbox.Command] = []
    var random: Randomness

    enum RefusedThing: Hashable {
        case part(TopologyPart.Name)
        case consumer(UInt32)
    }

    struct OpenWaiter {
        let continuation: CheckedContinuation<Void, any Error>
        let deadline: Instant
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.unownedExecutor }

    /// The connection's own thread, for tasks that prefer it (`withTaskExecutorPreference(_:operation:)`).
    ///
    /// A message then crosses from thread to thread no more, which is most of what it costs where each is waited for: one
    /// confirm at a time, or a prefetch of 1. In return such a task must never block and never compute for long, since
    /// meanwhile the connection neither reads nor writes, and sends no heartbeats. Tasks keep the thread alive, and run on
    /// when the connection is closed.
    public nonisolated var taskExecutor: any TaskExecutor { thread }

    private init(_ configuration: ConnectionConfiguration, topology: Topology, logger: Logger) throws(AMQPError) {
        self.configuration = configuration
        self.topology = topology
        self.logger = logger
        backoff = Backoff(configuration.recoveryDelay)
        refusals = LastingRefusals(patience: configuration.refusalPatience)
        password = configuration.password
        world = configuration.world
        random = world.randomness
        thread = try world.surroundings.makeThread(name: "amqp")
        inbox = Inbox(waking: thread.waker)
        thread.attach(self)
    }

    deinit {
        // Deliveries that nobody read may lie there, and they hold the inbox.
        var rest: [Inbox.Command] = []
        inbox.takeAll(into: &rest)
        // Tasks may keep the thread, and a socket that is closed stays open for as long as it is waited for.
        thread.waker.wake()
    }

    // MARK: Open and close

    /// Connects, logs in and declares the topology.
    ///
    /// A broker that cannot be reached, or refuses something for a reason that may pass (a node that stops, a limit of
    /// connections, a queue held exclusively), is tried `connectAttempts` times, `connectDelay` apart, each time at every
    /// address of every endpoint. Every failed attempt is logged as a warning.
    /// - Throws: ``AMQPError``: `brokerUnreachable` when no attempt succeeded; `loginRefused`, `virtualHostRefused`,
    ///   `accessRefused` or `preconditionFailed` (a topology that differs) at once, when every endpoint has been asked and
    ///   none let us work; `invalidConfiguration`. `CancellationError` when the task is cancelled.
    public static func connect(
        _ configuration: ConnectionConfiguration, topology: Topology = Topology(),
        logger: Logger = Logger(label: "actorbus")
    ) async throws -> AMQPConnection {
        guard !configuration.endpoints.isEmpty else {
            throw AMQPError(.invalidConfiguration, "no broker address is given")
        }
        guard configuration.frameMax >= 4096 else {
            throw AMQPError(
                .invalidConfiguration, "frames of at most \(configuration.frameMax) bytes are asked for",
                remedy: "4096 is the least that AMQP allows")
        }
        if configuration.passwordSource == nil { try configuration.checkLogin() }
        try topology.check()
        let connection = try AMQPConnection(configuration, topology: topology, logger: logger)
        do {
            try await withTaskCancellationHandler {
                try await connection.openFirst()
            } onCancel: {
                configuration.world.task {
                    await connection.shut(AMQPError(.connectionClosed, "connecting was cancelled"))
                }
            }
            // Cancelled as it became open: what is being shut is nothing to hand out.
            try Task.checkCancellation()
        } catch {
            await connection.shut(AMQPError(.connectionClosed, "the connection was never open"))
            throw Task.isCancelled ? CancellationError() : error
        }
        return connection
    }

    /// A snapshot of what the connection is doing, from any thread, at the cost of a lock.
    public nonisolated var status: ConnectionStatus { board.status }

    /// The status now and at every change, until the connection is closed. A slow reader loses the oldest and holds
    /// nobody up.
    public nonisolated func statusUpdates() -> AsyncStream<ConnectionStatus> { board.updates() }

    /// Ends every consumer, tells every waiting publish that it is over, and closes the connection in good order,
    /// within two seconds whatever the broker does. Further calls change nothing.
    public func close() async {
        guard closed == nil else { return }
        let error = AMQPError(.connectionClosed, "the connection was closed")
        carryOutCommands()
        flushSettlements()
        closed = error
        recovery?.cancel()
        endAll(error)
        await session?.close(timeout: .seconds(2))
        shut(error)
    }

    /// Declares more, and keeps it for every recovery. Waits for a recovery under way.
    ///
    /// Each part is tried, whatever became of those before it, so that what can be had is there.
    /// - Throws: ``AMQPError``: what the first part that failed was refused with, and then none of `more` is kept; or
    ///   `timedOut` where the broker did not answer in time.
    public func declare(_ more: Topology) async throws {
        try more.check()
        let session = try await openSession()
        let failures = try await declareEach(more.parts, in: session)
        if let first = failures.first { throw first.error }
        topology.merge(more)
    }

    /// How many messages and consumers a queue has (queue.declare with `passive`, which creates nothing). Messages that
    /// are delivered and not settled are not counted. Throws ``AMQPError``: `notFound` when there is no such queue.
    public func inspect(queue: String) async throws -> QueueDepth {
        let session = try await openSession()
        let reply = try await session.withChannel { channel in
            try await session.call(.queueDeclare(Queue(queue), passive: true), on: channel)
        }
        guard case .queueDeclareOk(_, let messages, let consumers) = reply else {
            throw AMQPError(.protocolViolation, "the broker answered queue.declare with something else")
        }
        return QueueDepth(messages: messages, consumers: consumers)
    }

    /// Encodes what is settled, as far as there is a session; without one the deliveries have gone back already.
    private func flushSettlements() {
        guard let session else { return }
        do {
            for consumer in consumers.values where consumer.hasSettled { try consumer.flush(session) }
        } catch {
            lose(session, error)
        }
    }

    /// A new number for a publisher or consumer.
    func makeID() -> UInt32 {
        nextID &+= 1
        return nextID
    }

    /// Throws when the connection is closed for good.
    func checkOpen() throws(AMQPError) {
        if let closed { throw closed }
    }

    /// The live session, after a recovery if one is under way. Bounded by the reply time-out.
    func openSession() async throws -> Session {
        try checkOpen()
        // Looked at where the waiter is put down: a task that prefers another executor is put off at the call in between.
        try await withCheckedThrowingContinuation { (waiter: CheckedContinuation<Void, any Error>) in
            if let closed { return waiter.resume(throwing: closed) }
            if status.state == .open { return waiter.resume() }
            let deadline = world.now + configuration.replyTimeout
            openWaiters.append(OpenWaiter(continuation: waiter, deadline: deadline))
        }
        try checkOpen()
        guard let session else { throw AMQPError(.connectionLost, "the connection was lost again") }
        return session
    }
}

/// What ``AMQPConnection/inspect(queue:)`` tells.
public struct QueueDepth: Sendable, Equatable {
    /// Messages that are ready to be delivered.
    public var messages: UInt32
    public var consumers: UInt32
}
