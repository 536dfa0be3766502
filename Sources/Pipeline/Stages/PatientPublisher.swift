import ActorBus
import Logging

/// Publishes what is made of a message in hand, and waits with it for as long as the reason lies with the broker or with
/// this service: the message is kept in hand meanwhile and counts as tried no more often.
struct PatientPublisher: Sendable {
    private let publisher: EventPublisher
    /// How long a right may be missing that was there before; a broker may get it back with its data.
    private let patience: Duration
    private let logger: Logger

    init(_ publisher: EventPublisher, patience: Duration, logger: Logger) {
        self.publisher = publisher
        self.patience = patience
        self.logger = logger
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
        var (refusals, waits) = (0, 0)
        var rightMissingSince: ContinuousClock.Instant?
        while true {
            do {
                return try await publisher.publish(message, to: target)
            } catch let error as AMQPError {
                let pause: Duration?
                switch PublishFailure(error) {
                case .message, .over: throw error
                case .refused:
                    refusals += 1
                    pause = policy.pause(afterFailures: refusals, jitter: .random(in: 0...1))
                    rightMissingSince = nil
                case .right:
                    waits += 1
                    let since = rightMissingSince ?? .now
                    rightMissingSince = since
                    pause =
                        since.duration(to: .now) < patience
                        ? min(Self.pause(waits), patience / 4) : nil
                case .away:
                    waits += 1
                    pause = Self.pause(waits)
                    rightMissingSince = nil
                }
                guard let pause else { throw error }
                // The first, and then now and again: a broker may be away for hours.
                let count = refusals + waits
                logger.log(
                    level: count <= 3 || count.isMultiple(of: 10) ? .warning : .debug,
                    "Attempt \(count) to publish to \(target) failed: \(error)", metadata: metadata)
                try await Task.sleep(for: pause)
            }
        }
    }

    /// What was refused there goes elsewhere; see ``EventPublisher/excuse(_:)``.
    func excuse(_ target: PublishTarget) { publisher.excuse(target) }

    /// Before the next attempt, after so many that waited for the broker.
    static func pause(_ waits: Int) -> Duration {
        RetryPolicy.steadfast.pause(afterFailures: waits, jitter: .random(in: 0...1)) ?? RetryPolicy.steadfast.longest
    }
}
