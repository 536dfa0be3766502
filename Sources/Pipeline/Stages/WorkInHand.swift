import ActorBus

/// How many messages the services of a process have in work.
package final class WorkInHand: Sendable {
    private let messages = Lock<Int64>(0)

    package init() {}

    package var count: Int64 { messages.withLock { $0 } }

    func begin() { messages.withLock { $0 += 1 } }
    func end() { messages.withLock { $0 -= 1 } }
}
