import ActorBus
import Logging

/// A message in hand that failed, and what is known of its order.
struct FailedMessage: Sendable {
    let message: Message
    /// The exchange that it was delivered from.
    let exchange: String
    /// How often it was tried during this delivery.
    let failures: Int
    /// One line for a person.
    let reason: String
    let orderID: Int64?
    let identity: OrderIdentity?

    var history: FailureHistory {
        FailureHistory(of: message.properties.headers, deliveredFrom: exchange)
    }
}

/// Takes messages that failed to where they wait or rest: a delayed-retry queue, or the dead-letter queue.
///
/// It returns when the broker has confirmed the message there. Until then the message stays in hand, however long that
/// takes, so nothing goes back to the head of its queue to come again at once.
struct FailureRouter: Sendable {
    private let queue: PipelineQueue
    private let policy: FailurePolicy
    private let publisher: PatientPublisher
    private let observer: PipelineObserver
    private let logger: Logger

    init(
        _ queue: PipelineQueue, _ policy: FailurePolicy, _ publisher: PatientPublisher, observer: PipelineObserver,
        logger: Logger
    ) {
        self.queue = queue
        self.policy = policy
        self.publisher = publisher
        self.observer = observer
        self.logger = logger
    }

    /// What failed for now: it comes back later, or is exhausted. Throws as ``PatientPublisher`` does.
    func tryLater(_ failed: FailedMessage) async throws -> WorkerMetrics.Outcome {
        let history = failed.history
        guard case .later(let delay) = policy.step(after: history) else {
            return try await bury(failed, .exhausted)
        }
        let attempts = history.attempts + Int64(failed.failures)
        let metadata = metadata(of: failed, attempts)
        let target = PublishTarget.queue(queue.retryQueue(after: delay))
        do {
            try await publisher.publish(
                Self.waiting(failed, history, attempts: attempts, at: publisher.world.timestamp), to: target,
                refusals: .steadfast,
                metadata)
        } catch let error as AMQPError where PublishFailure(error) == .message {
            // Its headers leave no room for ours, or it is larger than what the broker takes by now.
            publisher.excuse(target)
            logger.warning("It cannot wait in a retry queue: \(error)", metadata: metadata)
            return try await bury(failed, .exhausted)
        }
        logger.warning("It will be tried again in \(delay) s: \(failed.reason)", metadata: metadata)
        observer(.retried(queue, failed.identity, attempt: attempts, after: delay, reason: failed.reason))
        return .retried
    }

    /// What is not to be tried again. Throws as ``PatientPublisher`` does, but never for what the broker has against the
    /// message: the dead letter is then put into the next of its forms.
    func bury(_ failed: FailedMessage, _ fault: DeadLetter.Fault) async throws -> WorkerMetrics.Outcome {
        let history = failed.history
        let letter = DeadLetter(
            fault, reason: failed.reason, attempts: history.attempts + Int64(failed.failures),
            exchange: failed.exchange, queue: queue, failedAt: publisher.world.timestamp)
        let metadata = metadata(of: failed, letter.attempts)
        // A body that was not kept can be told of, and not published. ``UnkeptBodies`` has had it come again by now.
        var form = failed.message.largeBody?.fault == nil ? BurialForm.whole : .note
        var refusals = 0
        while true {
            do {
                try await publisher.publish(
                    letter.message(of: failed.message, as: form), to: .queue(queue.deadLetterQueue),
                    refusals: .steadfast, metadata)
                break
            } catch let error as AMQPError where PublishFailure(error) == .message {
                if let next = form.next {
                    logger.notice("Refused by \(queue.deadLetterQueue) as it is (\(form.rawValue)): \(error)")
                    form = next
                } else {
                    // Nobody can send less; the operator has to let it in.
                    refusals += 1
                    logger.error(
                        "Not even a note can be put into \(queue.deadLetterQueue): \(error)", metadata: metadata)
                    try await publisher.world.sleep(for: publisher.pause(refusals))
                }
            }
        }
        let how = form == .whole ? "" : " (\(form.rawValue))"
        logger.warning("Moved to \(queue.deadLetterQueue)\(how): \(letter.reason)", metadata: metadata)
        observer(.deadLettered(queue, failed.identity, reason: letter.reason))
        return .deadLettered
    }

    /// The message as it waits in a retry queue: as it came, and with its failures in its headers.
    static func waiting(
        _ failed: FailedMessage, _ history: FailureHistory, attempts: Int64, at time: Timestamp
    ) -> Message {
        var message = failed.message.fitToBeMoved()
        message.properties.headers[FailureHistory.Header.attempts] = .int64(attempts)
        message.properties.headers[FailureHistory.Header.retries] = .int64(Int64(history.retries) + 1)
        message.properties.headers[FailureHistory.Header.firstFailedAt] = .string((history.firstFailedAt ?? time).text)
        // The default exchange is what brings it back.
        let exchange = failed.exchange.isEmpty ? history.originalExchange ?? "" : failed.exchange
        message.properties.headers[FailureHistory.Header.originalExchange] = .string(exchange)
        return message
    }

    private func metadata(of failed: FailedMessage, _ attempts: Int64) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "queue": .string(queue.rawValue), "reason": .string(PrintableText.of(failed.reason, limit: 500)),
            "attempt": .stringConvertible(attempts),
        ]
        if let orderID = failed.orderID { metadata["order_id"] = .stringConvertible(orderID) }
        if let messageID = failed.message.properties.messageID {
            metadata["message_id"] = .string(PrintableText.of(messageID, limit: 255))
        }
        return metadata
    }
}
