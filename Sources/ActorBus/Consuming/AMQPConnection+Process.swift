internal import Logging

extension AMQPConnection {
    /// Consumes a queue with a handler, and settles each delivery by what the handler returns.
    ///
    /// Runs until its task is cancelled, which is the signal to stop, and then drains: the consumer is cancelled at the
    /// broker, what was not handed to a handler goes back to the queue at once, and handlers in work run on,
    /// undisturbed by the cancellation, until their deliveries are settled and the broker has taken the settlements.
    /// Then it returns. Handlers that are still in work after `drainTimeout` are cancelled, and their deliveries go
    /// back.
    ///
    /// A handler that throws has its delivery put back into the queue, after a second, so that a message that always fails
    /// does not keep the machine busy. A handler that is in work longer than `handlerTimeout` is cancelled; keep that below the
    /// broker's `consumer_timeout` (30 minutes by default), which closes the channel. Handlers never run on the
    /// connection's thread, unless they are told to, so heartbeats go on whatever they do.
    ///
    /// - Parameters:
    ///   - prefetch: how many deliveries may be unsettled at once, 1 to 65,535. One below `concurrency` leaves handlers
    ///     idle.
    ///   - concurrency: how many handlers may be in work at once.
    ///   - drainTimeout: asked for when the drain begins.
    ///   - executorPreference: where handlers run; nil for Swift's shared threads. ``taskExecutor`` suits handlers that
    ///     never block: one that does holds up the connection, and the drain with it.
    /// - Throws: ``AMQPError``: `drainTimedOut`, and what makes consuming impossible: `notFound` (no such queue, and the
    ///   connection's topology does not declare it), `accessRefused`, `connectionClosed`, or what closed the connection.
    public nonisolated func process(
        _ queue: String, prefetch: UInt16 = 1, concurrency: Int = 1,
        drainTimeout: @escaping @autoclosure @Sendable () -> Duration = .seconds(25),
        handlerTimeout: Duration = .seconds(1_500), executorPreference: (any TaskExecutor)? = nil,
        _ handler: @escaping @Sendable (Delivery) async throws -> Settlement
    ) async throws {
        guard concurrency > 0 else {
            throw AMQPError(.invalidConfiguration, "a concurrency of \(concurrency) for the queue '\(queue)'")
        }
        let consumer: ConsumerHandle
        do {
            consumer = try await startConsumer(of: queue, prefetch: prefetch)
        } catch is CancellationError {
            return
        }
        let crew = HandlerCrew(
            mailbox: consumer.mailbox, size: concurrency, executorPreference: executorPreference, logger: logger,
            world: world, handler: handler)
        let inbox = inbox
        let outcome = await withTaskCancellationHandler {
            await crew.run(handlerTimeout: handlerTimeout)
        } onCancel: {
            inbox.put(.release(consumer: consumer.id, unread: consumer.mailbox.close()))
            crew.drain(within: drainTimeout())
        }
        await finish(consumer.id)
        try outcome.get()
    }
}

/// The tasks that run a consumer's handlers. They are not children of the task that calls `process`, because a child is
/// cancelled with its parent, and work in hand is to be finished.
private final class HandlerCrew: Sendable {
    fileprivate struct Worker {
        var task: Task<Void, Never>?
        /// Since when its handler is in work; nil between deliveries.
        var since: Instant?
        /// Whether its handler has taken too long, so that its task is cancelled: it takes no further delivery, which the
        /// cancellation could reach, and another worker takes its place.
        var isOverdue = false
    }

    fileprivate struct State {
        var workers: [Worker]
        /// Workers that have not ended.
        var running: Int
        var failure: (any Error)?
        var drainTimedOut = false
        var waiter: CheckedContinuation<Result<Void, any Error>, Never>?
        var isOver = false
        var drainTimer: Task<Void, Never>?
    }

    private let mailbox: Mailbox
    private let executorPreference: (any TaskExecutor)?
    private let logger: Logger
    private let world: World
    private let handler: @Sendable (Delivery) async throws -> Settlement
    private let state: Lock<State>

    init(
        mailbox: Mailbox, size: Int, executorPreference: (any TaskExecutor)?, logger: Logger,
        world: World, handler: @escaping @Sendable (Delivery) async throws -> Settlement
    ) {
        self.mailbox = mailbox
        self.executorPreference = executorPreference
        self.logger = logger
        self.world = world
        self.handler = handler
        state = Lock(State(workers: Array(repeating: Worker(), count: size), running: size))
    }

    /// Works until the mailbox ends, or until the drain has timed out.
    func run(handlerTimeout: Duration) async -> Result<Void, any Error> {
        let count = state.withLock { $0.workers.count }
        for index in 0..<count { start(index) }
        let watchdog = world.task { await watch(handlerTimeout) }
        let outcome = await withCheckedContinuation { continuation in
            let over = state.withLock { state in
                if !state.isOver { state.waiter = continuation }
                return state.isOver ? state.outcome : nil
            }
            if let over { continuation.resume(returning: over) }
        }
        watchdog.cancel()
        state.withLock { $0.drainTimer }?.cancel()
        return outcome
    }

    /// Begins the drain's deadline. The mailbox is closed already, so workers end by themselves when their handlers do.
    func drain(within timeout: Duration) {
        let timer = world.task {
            do { try await world.sleep(for: timeout) } catch { return }
            let late = state.withLock { state -> (workers: [Task<Void, Never>], inWork: Int)? in
                guard !state.isOver else { return nil }
                state.drainTimedOut = true
                return (state.workers.compactMap(\.task), state.workers.count { $0.since != nil })
            }
            guard let (workers, inWork) = late else { return }
            logger.warning("the drain time of \(timeout) is over with \(inWork) handlers in work; cancelling them")
            for worker in workers { worker.cancel() }
            // A handler that does not heed its cancellation is left behind: its delivery goes back with the channel.
            do { try await world.sleep(for: .seconds(1)) } catch { return }
            end(runningWorkers: true)
        }
        state.withLock { $0.drainTimer = timer }
    }

    private func start(_ index: Int) {
        // Under the lock, so that whoever finds its handler in work finds the task too.
        state.withLock { state in
            state.workers[index].task = Task(executorPreference: executorPreference ?? world.taskExecutor) {
                await self.work(index)
            }
        }
    }

    /// Takes deliveries until there are no more. A worker whose handler has taken too long is replaced behind it.
    private func work(_ index: Int) async {
        do {
            while let delivery = try await mailbox.next() {
                state.withLock { $0.workers[index].since = world.now }
                await handle(delivery)
                let isReplaced = state.withLock { state in
                    let isOverdue = state.workers[index].isOverdue
                    state.workers[index].since = nil
                    state.workers[index].isOverdue = false
                    return isOverdue && !state.drainTimedOut
                }
                if isReplaced { return start(index) }
            }
        } catch {
            state.withLock { $0.failure = $0.failure ?? error }
        }
        end(runningWorkers: false)
    }

    private func handle(_ delivery: Delivery) async {
        do {
            delivery.settle(try await handler(delivery))
        } catch {
            if !Task.isCancelled {
                logger.warning("a handler failed, and its message goes back to the queue: \(error)")
                try? await world.sleep(for: .seconds(1))  // Cut short by cancellation, which is as well.
            }
            delivery.requeue()
        }
    }

    /// Notes that one worker has ended, or, when the drain has timed out, all of them.
    private func end(runningWorkers: Bool) {
        let finished = state.withLock {
            state -> (CheckedContinuation<Result<Void, any Error>, Never>, Result<Void, any Error>)? in
            state.running = runningWorkers ? 0 : state.running - 1
            guard state.running <= 0, !state.isOver else { return nil }
            state.isOver = true
            return state.waiter.take().map { ($0, state.outcome) }
        }
        if let (waiter, outcome) = finished { waiter.resume(returning: outcome) }
    }

    /// Cancels handlers that are in work for too long.
    private func watch(_ timeout: Duration) async {
        let pause = max(.milliseconds(10), timeout / 20)
        while (try? await world.sleep(for: pause)) != nil {
            let now = world.now
            // Marked under the lock under which a handler's end is noted, so that a worker whose task is cancelled below is
            // still at that delivery, or behind it at its own end.
            let overdue = state.withLock { state in
                state.workers.indices.compactMap { index -> Task<Void, Never>? in
                    guard let since = state.workers[index].since, now - since > timeout, !state.workers[index].isOverdue
                    else { return nil }
                    state.workers[index].isOverdue = true
                    return state.workers[index].task
                }
            }
            for task in overdue {
                logger.error(
                    "a handler was in work for more than \(timeout): it is cancelled, and its message goes back"
                )
                task.cancel()
            }
        }
    }
}

extension HandlerCrew.State {
    fileprivate var outcome: Result<Void, any Error> {
        if let failure { return .failure(failure) }
        if drainTimedOut {
            return .failure(
                AMQPError(
                    .drainTimedOut,
                    "handlers were still in work when the drain time was over; their messages went back",
                    remedy: "give the drain more time than the longest handler takes"))
        }
        return .success(())
    }
}
