import ActorBus
import Logging

/// Tells of messages that wait to be published, in few lines however many they are: the first to fail, then one line a
/// minute, then that it is over.
final class PublicationLog: Sendable {
    private struct Trouble {
        var waiting: Int64 = 0
        var told: Instant?
    }

    private static let interval = Duration.seconds(60)

    private let troubles = Lock<[PublishTarget: Trouble]>([:])
    private let logger: Logger
    private let world: World

    init(_ logger: Logger, in world: World) {
        self.logger = logger
        self.world = world
    }

    /// - Parameter isFirst: whether this message had not failed before.
    func failed(_ target: PublishTarget, isFirst: Bool, _ error: AMQPError, _ metadata: Logger.Metadata) {
        let now = world.now
        let (waiting, isToBeTold) = troubles.withLock { troubles in
            var trouble = troubles[target] ?? Trouble()
            if isFirst { trouble.waiting += 1 }
            let isToBeTold = trouble.told.map { now - $0 >= Self.interval } ?? true
            if isToBeTold { trouble.told = now }
            troubles[target] = trouble
            return (trouble.waiting, isToBeTold)
        }
        if !isToBeTold {
            logger.debug("Not published to \(target) yet: \(error)", metadata: metadata)
        } else if waiting == 1 {
            logger.warning("Not published to \(target) yet, and tried again: \(error)", metadata: metadata)
        } else {
            logger.warning(
                "\(waiting) messages are not published to \(target) yet, and tried again: \(error)",
                metadata: ["messages": .stringConvertible(waiting)])
        }
    }

    /// A message that failed is published, or is not tried again.
    func ended(_ target: PublishTarget) {
        let isOver = troubles.withLock { troubles in
            guard var trouble = troubles[target] else { return false }
            trouble.waiting -= 1
            troubles[target] = trouble.waiting > 0 ? trouble : nil
            return trouble.waiting <= 0
        }
        if isOver { logger.info("No message waits to be published to \(target) any more") }
    }
}
