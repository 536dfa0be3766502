import ActorBus
import Logging

/// Publishes what is made of a message in hand, and waits with it for as long as the reason lies with the broker or with
/// this service: the message is kept in hand meanwhile and counts as tried no more often.
struct PatientPublisher: Sendable {
    private let publisher: EventPublisher
    var world: World { publisher.world }
    /// How long a right may be missing that was there before; a broker may get it back with its data.
    private let patience: Duration
    private let log: PublicationLog

    init(_ publisher: EventPublisher, patience: Duration, logger: Logger) {
        self.publisher = publisher
        self.patience = patience
        log = PublicationLog(logger, in: publisher.world)
    }

    /// Returns when the broker has confirmed.
    ///
    /// - Parameter refusals: how often a refusal is answered by another attempt.
    /// - Throws: ``AMQPError``: what the broker has against this message, or against every message to that target where
    ///   it refused that often; `accessRefused` when the right is still missing after a while; `connectionClosed` when
    ///   publishing is over for good. `CancellationError`.
    func publish(
        _ message: Message, to target: PublishTarget, refusals policy: RetryPolicy, _ metadata: Logger.Metadata
    ) async throws {
        var (refusals, waits, unconfirmed) = (0, 0, 0)
        var rightMissingSince: Instant?
        var hasFailed = false
        defer { if hasFailed { log.ended(target) } }
        while true {
            do {
                return try await publisher.publish(message, to: target)
            } catch let error as AMQPError {
                let pause: Duration?
                if error.code != .maybePublished { unconfirmed = 0 }
                switch PublishFailure(error) {
                case .message, .over: throw error
                case .refused:
                    refusals += 1
                    pause = policy.pause(afterFailures: refusals, jitter: world.jitter)
                    rightMissingSince = nil
                case .right:
                    waits += 1
                    let since = rightMissingSince ?? world.now
                    rightMissingSince = since
                    pause =
                        world.now - since < patience && !publisher.rightIsLost.isStopped
                        ? min(self.pause(waits), patience / 4) : nil
                    if pause == nil { publisher.rightIsLost.stop() }
                case .away where error.code == .maybePublished:
                    unconfirmed += 1
                    pause = RetryPolicy.unconfirmed.pause(afterFailures: unconfirmed, jitter: world.jitter)
                    rightMissingSince = nil
                case .away:
                    waits += 1
                    pause = self.pause(waits)
                    rightMissingSince = nil
                }
                guard let pause else { throw error }
                log.failed(target, isFirst: !hasFailed, error, metadata)
                hasFailed = true
                if rightMissingSince != nil {
                    // Once another message has waited in vain, there is nothing to wait for.
                    await publisher.rightIsLost.sleep(for: pause)
                    try Task.checkCancellation()
                    if publisher.rightIsLost.isStopped { throw error }
                } else {
                    try await world.sleep(for: pause)
                }
            }
        }
    }

    /// What was refused there goes elsewhere; see ``EventPublisher/excuse(_:)``.
    func excuse(_ target: PublishTarget) { publisher.excuse(target) }

    /// Before the next attempt, after so many that waited for the broker.
    func pause(_ waits: Int) -> Duration {
        RetryPolicy.steadfast.pause(afterFailures: waits, jitter: world.jitter) ?? RetryPolicy.steadfast.longest
    }
}
