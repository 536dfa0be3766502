package import ActorBus
package import Logging

/// How much a consumer takes at once.
package struct Intake: Sendable, Equatable {
    /// Deliveries that the broker may hand out before they are settled.
    package let prefetch: UInt16
    /// Messages in work at once.
    package let concurrency: Int
    /// How long a message may be in work, below the broker's `consumer_timeout` (30 minutes by default).
    package let handlerTimeout: Duration

    package init(prefetch: UInt16, concurrency: Int, handlerTimeout: Duration = .seconds(1_500)) {
        self.prefetch = prefetch
        self.concurrency = concurrency
        self.handlerTimeout = handlerTimeout
    }
}

/// Carries messages through a stage: consume, decode, decide, publish with confirm, acknowledge.
///
/// No path destroys a message. What cannot be read goes to the dead-letter queue; what fails for now is tried again a few
/// times, waits in retry queues, and is a dead letter in the end. A message goes back to its queue only when this process
/// cannot go on with it: the drain time is over, or publishing has ended for good.
package struct StageRunner<Work: Stage>: Sendable {
    private let stage: Work
    private let world: World
    private let publisher: EventPublisher
    private let patient: PatientPublisher
    private let router: FailureRouter
    private let policy: FailurePolicy
    private let unkeptBodies: UnkeptBodies
    private let effects: SharedEffects
    private let metrics: WorkerMetrics
    private let queueMetrics: WorkerMetrics.Queue
    private let workInHand: WorkInHand
    private let observer: PipelineObserver
    private let logger: Logger

    /// - Parameter patience: how long a missing right to publish is waited for before the service ends.
    package init(
        _ stage: Work, publisher: EventPublisher, effects: SharedEffects, metrics: WorkerMetrics,
        workInHand: WorkInHand, observer: PipelineObserver, policy: FailurePolicy = FailurePolicy(),
        patience: Duration = .seconds(60), logger: Logger
    ) {
        self.stage = stage
        self.publisher = publisher
        world = publisher.world
        patient = PatientPublisher(publisher, patience: patience, logger: logger)
        router = FailureRouter(stage.queue, policy, patient, observer: observer, logger: logger)
        self.policy = policy
        unkeptBodies = UnkeptBodies(isDeadLettered: publisher.topology.deadLetters(stage.queue))
        self.effects = effects
        self.metrics = metrics
        queueMetrics = metrics.queue(stage.queue.rawValue)
        self.workInHand = workInHand
        self.observer = observer
        self.logger = logger
    }

    /// Consumes until the task is cancelled, then finishes what is in work and returns.
    ///
    /// Throws `AMQPError` with `drainTimedOut` when that took too long (what was in work is back in its queue then), or
    /// with what the broker said when it does not allow to consume or to publish.
    package func run(on connection: AMQPConnection, _ intake: Intake, _ drain: DrainTime) async throws {
        let (refusals, refuse) = AsyncStream<AMQPError>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let refusal = try await withThrowingTaskGroup(of: AMQPError?.self) { group in
            group.addTask {
                try await consume(on: connection, intake, drain) { refuse.yield($0) }
                return nil
            }
            group.addTask { await refusals.first { _ in true } }
            // The first to end: a refusal, or the consumer, whose end nobody outlives.
            let refusal = try await group.next() ?? nil
            group.cancelAll()
            // What the consumer says of a drain that a refusal began is its consequence.
            do { for try await _ in group {} } catch { if refusal == nil { throw error } }
            return refusal
        }
        if let refusal { throw refusal }
    }

    /// Consumes until the task is cancelled and what was in work is finished. `refuse` is told what can never work.
    private func consume(
        on connection: AMQPConnection, _ intake: Intake, _ drain: DrainTime,
        _ refuse: @escaping @Sendable (AMQPError) -> Void
    ) async throws {
        let ending = Ending(drain, in: world)
        try await withTaskCancellationHandler {
            // On the connection's thread: what a message needs of Swift is done where it arrives.
            try await connection.process(
                stage.queue.rawValue, prefetch: intake.prefetch, concurrency: intake.concurrency,
                drainTimeout: drain.left, handlerTimeout: intake.handlerTimeout,
                executorPreference: connection.taskExecutor
            ) { delivery in
                await settle(delivery, ending, refuse)
            }
        } onCancel: {
            ending.stop.stop()
        }
        if ending.overran.isStopped {
            throw AMQPError(
                .drainTimedOut, "what was in hand was not finished within \(drain.limit) and is back in its queue")
        }
    }

    private func settle(
        _ delivery: Delivery, _ ending: Ending, _ refuse: @escaping @Sendable (AMQPError) -> Void
    ) async -> Settlement {
        queueMetrics.began(redelivered: delivery.redelivered)
        workInHand.begin()
        defer {
            workInHand.end()
            queueMetrics.ended()
        }
        if delivery.redelivered { observer(.redelivered(stage.queue)) }
        do {
            if let settlement = await unkept(delivery, ending.stop) { return settlement }
            let outcome = try await work(on: delivery, ending)
            queueMetrics.settled(outcome)
            return .acknowledge
        } catch {
            if let error = error as? AMQPError {
                logger.error("Given back to \(stage.queue.rawValue): \(error)", metadata: Self.metadata(of: delivery))
                // No attempt and no other replica of ours will be allowed what this one is not; the service ends.
                if PublishFailure(error) == .right { refuse(error) }
                // In hand until nothing more is taken, or it would be handed out here again.
                await ending.stop.sleep(for: .seconds(30))
            }
            queueMetrics.settled(.requeued)
            return .requeue
        }
    }

    /// What becomes of a large message whose body this process could not keep; nil where it is dealt with like any other.
    private func unkept(_ delivery: Delivery, _ stop: StopSignal) async -> Settlement? {
        guard let body = delivery.message.largeBody, let step = unkeptBodies.step(for: body) else { return nil }
        let reason = "\(Self.tooLarge(body))"
        let metadata = Self.metadata(of: delivery)
        switch step {
        case .reject:
            logger.warning("Moved to \(stage.queue.deadLetterQueue) by the broker: \(reason)", metadata: metadata)
            observer(.deadLettered(stage.queue, delivery.properties.orderIdentity, reason: reason))
            queueMetrics.settled(.deadLettered)
            return .reject
        case .requeue(let pause):
            logger.warning("It comes again in \(pause), perhaps to more room: \(reason)", metadata: metadata)
            await stop.sleep(for: pause)
            queueMetrics.settled(.requeued)
            return .requeue
        }
    }

    /// Runs `operation` in a task of its own, which is cancelled when the drain is over.
    private func untilDrained<Value: Sendable>(
        _ ending: Ending, _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = world.task { try await operation() }
        let limit = world.task {
            do {
                try await ending.stop.untilStopped { try await world.sleep(for: .seconds(1 << 30)) }
            } catch {
                // The signal is given, or there is nothing to limit any more.
            }
            // `left` starts the clock.
            guard ending.stop.isStopped, !Task.isCancelled else { return }
            do { try await world.sleep(for: ending.drain.left) } catch { return }
            ending.overran.stop()
            task.cancel()
        }
        defer { limit.cancel() }
        return try await task.value
    }

    /// Throws `AMQPError` where nothing can be published any more, and `CancellationError` where the time is over.
    private func work(
        on delivery: Delivery, _ ending: Ending
    ) async throws -> WorkerMetrics.Outcome {
        let event: Work.Event
        do {
            if let fault = delivery.headersFault { throw MalformedMessage("the headers cannot be read: \(fault)") }
            if let body = delivery.message.largeBody { throw MalformedMessage(Self.tooLarge(body)) }
            event = try Work.Event(json: delivery.body)
        } catch let malformed as MalformedMessage {
            return try await router.bury(unreadable(delivery, malformed), .malformed)
        }
        let context = EventContext(of: event, properties: delivery.properties, in: world)
        func failed(_ failures: Int, _ reason: String) -> FailedMessage {
            FailedMessage(
                message: delivery.message, exchange: delivery.exchange, failures: failures, reason: reason,
                orderID: event.orderID, identity: context.identity)
        }

        var failures = 0
        let answer: StageAnswer?
        attempts: while true {
            do {
                answer = try await stage.handle(event, of: context.identity)
                break attempts
            } catch {
                failures += 1
                if error is CancellationError, Task.isCancelled {
                    guard !ending.stop.isStopped else { throw error }
                    // Not the end of this service, but of the time that a message may be in work. What is done about
                    // it needs a task that is not cancelled.
                    let overdue = failed(failures, "it was not finished in the time that a message may be in work")
                    return try await untilDrained(ending) { try await router.tryLater(overdue) }
                }
                let history = FailureHistory(of: delivery.properties.headers, deliveredFrom: delivery.exchange)
                guard
                    case .inPlace(let pause) = policy.step(
                        afterFailures: failures, history, jitter: world.jitter)
                else { return try await router.tryLater(failed(failures, "\(error)")) }
                logger.warning("Attempt \(failures) failed: \(error)", metadata: Self.metadata(of: delivery))
                try await world.sleep(for: pause)
            }
        }
        guard let answer else { return .acknowledged }
        if let publication = answer.publication {
            let target = PublishTarget.exchange(type(of: publication).exchange.rawValue)
            do {
                try await patient.publish(
                    publisher.message(of: publication, context), to: target, refusals: policy.inPlace,
                    Self.metadata(of: delivery))
            } catch let error as AMQPError where error.code == .invalidMessage {
                // It would not become sendable by being tried again.
                return try await router.bury(failed(failures + 1, error.description), .rejected)
            } catch let error as AMQPError where PublishFailure(error) == .refused {
                return try await router.tryLater(failed(failures + policy.inPlace.attempts, error.description))
            } catch let error as AMQPError where PublishFailure(error) == .message {
                // It is this event that the broker does not take; the next is another.
                patient.excuse(target)
                return try await router.tryLater(failed(failures + 1, error.description))
            }
        }
        // Counted only now: what was not confirmed has not happened.
        if effects.insert(answer.effect, of: context.identity) {
            answer.count()
            metrics.effect(after: age(of: context.orderTime ?? event.timestamp))
            observer(answer.report)
        }
        return .acknowledged
    }

    /// How a run ends.
    private struct Ending: Sendable {
        /// Nothing new is taken.
        let stop: StopSignal
        let drain: DrainTime
        /// Something in hand was given up, since the time was over.
        let overran: StopSignal

        init(_ drain: DrainTime, in world: World) {
            self.drain = drain
            (stop, overran) = (StopSignal(in: world), StopSignal(in: world))
        }
    }

    private static func tooLarge(_ body: LargeBody) -> String {
        let kept = body.fault.map { ", of which none were kept: \($0)" } ?? ""
        return "the body has \(body.size) bytes, and at most \(BodySpool.ofThePipeline.threshold) are read\(kept)"
    }

    private func unreadable(_ delivery: Delivery, _ malformed: MalformedMessage) -> FailedMessage {
        FailedMessage(
            message: delivery.message, exchange: delivery.exchange, failures: 1, reason: malformed.reason,
            orderID: StoredDeadLetter(delivery, of: stage.queue).orderID,
            identity: delivery.properties.orderIdentity)
    }

    private func age(of moment: Timestamp) -> Duration {
        .milliseconds(world.timestamp.milliseconds - moment.milliseconds)
    }

    private static func metadata(of delivery: Delivery) -> Logger.Metadata {
        guard let messageID = delivery.properties.messageID else { return [:] }
        return ["message_id": .string(PrintableText.of(messageID, limit: 255))]
    }
}
