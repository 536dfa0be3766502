/// What tasks ask of the connection's thread without waiting for a turn of the actor: publishes and settlements, which
/// come by the thousand. The thread takes all there are at once, and is woken only by the first.
final class Inbox: Sendable {
    enum Command: Sendable {
        case publish(PublishRequest)
        /// The task that waits for this publish was cancelled.
        case cancelPublish(PublishRequest)
        case settle(ConsumerChannel, deliveryTag: UInt64, Settlement)
        /// Nobody reads this consumer's deliveries any more; these were not handed out.
        case release(consumer: UInt32, unread: [Delivery])
    }

    private let commands = Lock<[Command]>([])
    private let executor: ThreadExecutor

    init(waking executor: ThreadExecutor) { self.executor = executor }

    func put(_ command: Command) {
        let isFirst = commands.withLock { commands in
            commands.append(command)
            return commands.count == 1
        }
        if isFirst { executor.wake() }
    }

    /// Exchanges what has come for an empty array, whose storage is used again.
    func take(into taken: inout [Command]) {
        taken.removeAll(keepingCapacity: true)
        commands.withLock { swap(&$0, &taken) }
    }
}
