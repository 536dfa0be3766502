/// The system calls that a message may cost at one piece of work.
struct Limit: Sendable {
    var scenario: Scenario
    var contender = Contender.own
    var callsPerMessage: Double
    /// What is broken when there are more, and where it is written.
    var lookAt: String

    private static let sending =
        "what is written together: Sources/ActorBus/Wire/SendBuffer.swift, Connection/AMQPConnection+Loop.swift"
    private static let receiving =
        "what is read, handed over and acknowledged together: Sources/ActorBus/Consuming/Mailbox.swift, "
        + "Consuming/AcknowledgmentLedger.swift, Connection/AMQPConnection+Loop.swift"
    private static let wakingUp =
        "what wakes a thread or a task: Sources/ActorBus/World/ThreadExecutor.swift, Connection/Inbox.swift"

    /// About twice the most that is seen, on a busy machine too, and for work in bulk less than one call for each message.
    static let all: [Limit] = [
        Limit(
            scenario: Scenario(
                key: "confirm-1000", title: "", work: .confirm, count: 10_000, window: 1000),
            callsPerMessage: 0.9, lookAt: sending),
        Limit(
            scenario: Scenario(key: "send-1000", title: "", work: .send, count: 10_000, window: 1000),
            callsPerMessage: 0.3, lookAt: sending),
        Limit(
            scenario: Scenario(key: "consume-100", title: "", work: .consume, count: 10_000, prefetch: 100),
            callsPerMessage: 0.9, lookAt: receiving),
        Limit(
            scenario: Scenario(key: "consume-1000", title: "", work: .consume, count: 10_000, prefetch: 1000),
            callsPerMessage: 0.9, lookAt: receiving),
        Limit(
            scenario: Scenario(key: "confirm-1", title: "", work: .confirm, count: 300, window: 1),
            callsPerMessage: 12, lookAt: wakingUp),
        Limit(
            scenario: Scenario(key: "consume-1", title: "", work: .consume, count: 300, prefetch: 1),
            callsPerMessage: 12, lookAt: wakingUp),
        Limit(
            scenario: Scenario(key: "confirm-1", title: "", work: .confirm, count: 300, window: 1),
            contender: Contender.ownOnThread, callsPerMessage: 5, lookAt: wakingUp),
        Limit(
            scenario: Scenario(key: "consume-1", title: "", work: .consume, count: 300, prefetch: 1),
            contender: Contender.ownOnThread, callsPerMessage: 5, lookAt: wakingUp),
    ]
}
