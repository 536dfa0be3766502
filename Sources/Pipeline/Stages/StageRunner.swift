package import ActorBus
package import Logging

/// How much a consumer takes at once, and how long it may take to finish.
package struct Intake: Sendable, Equatable {
    /// Deliveries that the broker may hand out before they are settled.
    package let prefetch: UInt16
    /// Messages in work at once.
    package let concurrency: Int
    /// How long messages in work may take once the task is cancelled.
    package let drainTimeout: Duration

    package init(prefetch: UInt16, concurrency: Int, drainTimeout: Duration) {
        self.prefetch = prefetch
        self.concurrency = concurrency
        self.drainTimeout = drainTimeout
    }
}

/// Carries messages through a stage: consume, decode, decide, publish with confirm, acknowledge.
///
/// No path destroys a message. What cannot be read goes to the dead-letter queue; what fails for another reason than
/// its own is tried again a few times, and then goes back to its queue.
package struct StageRunner<Work: Stage>: Sendable {
    private let stage: Work
    private let publisher: EventPublisher
    private let effects: SharedEffects
    private let metrics: WorkerMetrics
    private let queueMetrics: WorkerMetrics.Queue
    private let workInHand: WorkInHand
    private let observer: PipelineObserver
    private let retry: RetryPolicy
    private let logger: Logger

    package init(
        _ stage: Work, publisher: EventPublisher, effects: SharedEffects, metrics: WorkerMetrics,
        workInHand: WorkInHand, observer: PipelineObserver, retry: RetryPolicy = .inPlace, logger: Logger
    ) {
        self.stage = stage
        self.publisher = publisher
        self.effects = effects
        self.metrics = metrics
        queueMetrics = metrics.queue(stage.queue.rawValue)
        self.workInHand = workInHand
        self.observer = observer
        self.retry = retry
        self.logger = logger
    }

    /// Consumes until the task is cancelled, then finishes what is in work and returns.
    ///
    /// Throws `AMQPError` with `drainTimedOut` when that took too long (what was in work is back in its queue then), or
    /// with what the broker said when it does not allow to consume or to publish.
    package func run(on connection: AMQPConnection, _ intake: Intake) async throws {
        let (refusals, refuse) = AsyncStream<AMQPError>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let refusal = try await withThrowingTaskGroup(of: AMQPError?.self) { group in
            group.addTask {
                try await consume(on: connection, intake) { refuse.yield($0) }
                return nil
            }
            group.addTask { await refusals.first { _ in true } }
            // The first to end: a refusal, or the consumer, whose end nobody outlives.
            let refusal = try await group.next() ?? nil
            group.cancelAll()
            for try await _ in group {}
            return refusal
        }
        if let refusal { throw refusal }
    }

    /// Consumes until the task is cancelled and what was in work is finished. `refuse` is told what can never work.
    private func consume(
        on connection: AMQPConnection, _ intake: Intake, _ refuse: @escaping @Sendable (AMQPError) -> Void
    ) async throws {
        do {
            try await connection.process(
                stage.queue.rawValue, prefetch: intake.prefetch, concurrency: intake.concurrency,
                drainTimeout: intake.drainTimeout, executorPreference: connection.taskExecutor
            ) { delivery in
                await settle(delivery, refuse)
            }
        } catch var error as AMQPError where error.code == .drainTimedOut {
            error.remedy = "give the drain more time"
            throw error
        }
    }

    private func settle(
        _ delivery: Delivery, _ refuse: @escaping @Sendable (AMQPError) -> Void
    ) async -> Settlement {
        queueMetrics.began(redelivered: delivery.redelivered)
        workInHand.begin()
        defer {
            workInHand.end()
            queueMetrics.ended()
        }
        if delivery.redelivered { observer(.redelivered(stage.queue)) }
        do {
            let outcome = try await work(on: delivery)
            queueMetrics.settled(outcome)
            return .acknowledge
        } catch let error as AMQPError where error.code == .accessRefused {
            // No attempt and no other replica of ours will be allowed what this one is not; the service ends.
            refuse(error)
            queueMetrics.settled(.requeued)
            return .requeue
        } catch {
            // Whatever it was, the message is whole and can be had again; a cancelled task ran out of drain time.
            if !(error is CancellationError) {
                logger.error("Given back to \(stage.queue.rawValue): \(error)", metadata: Self.metadata(of: delivery))
            }
            // Lest a message that comes back at once keeps machine and broker busy. A cancelled task does not wait.
            try? await Task.sleep(for: .seconds(1))
            queueMetrics.settled(.requeued)
            return .requeue
        }
    }

    private func work(on delivery: Delivery) async throws -> WorkerMetrics.Outcome {
        let event: Work.Event
        do {
            if let fault = delivery.headersFault { throw MalformedMessage("the headers cannot be read: \(fault)") }
            event = try Work.Event(json: delivery.body)
        } catch let malformed as MalformedMessage {
            return try await bury(delivery, .malformed, reason: malformed.reason)
        }
        let context = EventContext(of: event, properties: delivery.properties)
        let answer = try await inPlace(delivery) { try await stage.handle(event, of: context.identity) }
        guard let answer else { return .acknowledged }
        if let publication = answer.publication {
            let message = publisher.message(of: publication, context)
            let exchange = type(of: publication).exchange
            do {
                try await inPlace(delivery) { try await publisher.publish(message, to: exchange) }
            } catch let error as AMQPError where error.code == .invalidMessage {
                // It would not become sendable by being tried again.
                return try await bury(delivery, .rejected, reason: error.description)
            }
        }
        // Counted only now: what was not confirmed has not happened.
        if effects.insert(answer.effect, of: context.identity) {
            answer.count()
            metrics.effect(after: Self.age(of: context.orderTime ?? event.timestamp))
            observer(answer.report)
        }
        return .acknowledged
    }

    /// Sends a message to its dead-letter queue; returns when it is there.
    private func bury(
        _ delivery: Delivery, _ fault: DeadLetter.Fault, reason: String
    ) async throws -> WorkerMetrics.Outcome {
        let letter = DeadLetter(
            fault, reason: reason, attempts: 1, exchange: delivery.exchange, queue: stage.queue, failedAt: .now())
        try await inPlace(delivery) {
            do {
                try await publisher.publish(letter.message(of: delivery.message), toDeadLettersOf: stage.queue)
            } catch let error as AMQPError where error.code == .invalidMessage {
                let bare = letter.messageWithoutOriginalHeaders(of: delivery.message)
                try await publisher.publish(bare, toDeadLettersOf: stage.queue)
            }
        }
        logger.warning(
            "Moved to \(stage.queue.deadLetterQueue): \(letter.reason)", metadata: Self.metadata(of: delivery))
        let identity = delivery.properties.correlationID.map { OrderIdentity($0) }
        observer(.deadLettered(stage.queue, identity, reason: letter.reason))
        return .deadLettered
    }

    /// Tries something again that failed for a reason which may pass.
    private func inPlace<Value: Sendable>(
        _ delivery: Delivery, _ operation: () async throws -> Value
    ) async throws -> Value {
        var failures = 0
        while true {
            do {
                return try await operation()
            } catch let error as AMQPError where error.code != .invalidMessage && error.code != .accessRefused {
                failures += 1
                try await pause(after: failures, error, delivery)
            } catch let error where !(error is CancellationError) && !(error is AMQPError) {
                failures += 1
                try await pause(after: failures, error, delivery)
            }
        }
    }

    /// Waits before the next attempt; throws the error itself when there is to be none.
    private func pause(after failures: Int, _ error: any Error, _ delivery: Delivery) async throws {
        guard let pause = retry.pause(afterFailures: failures, jitter: .random(in: 0...1)) else { throw error }
        logger.warning(
            "Attempt \(failures) of \(retry.attempts) failed: \(error)", metadata: Self.metadata(of: delivery))
        try await Task.sleep(for: pause)
    }

    private static func age(of moment: Timestamp) -> Duration {
        .milliseconds(Timestamp.now().milliseconds - moment.milliseconds)
    }

    private static func metadata(of delivery: Delivery) -> Logger.Metadata {
        guard let messageID = delivery.properties.messageID else { return [:] }
        return ["message_id": .string(PrintableText.of(messageID, limit: 255))]
    }
}
