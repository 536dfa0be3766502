/// Work that every contender does in turn, and what is read off it.
struct Scenario: Sendable {
    /// The choice on the command line, and the key in the report.
    var key: String
    var title: String
    var work: WorkOrder.Work
    var count = 0
    var size = 256
    var window = 1
    var prefetch = 1
    var connections = 1
    /// More than one: bound to a fanout exchange.
    var queues = 1
    var seconds = 0
    /// Whether a quick look has it.
    var isQuick = false

    var figures: [Figure] {
        switch work {
        case .latency:
            [.latency50, .latency90, .latency99, .latency999, .clientCPU, .systemCalls, .brokerCPU]
        case .idle: [.resident, .privateMemory, .idleCPU]
        default: [.rate, .clientCPU, .systemCalls, .brokerCPU, .resident, .privateMemory]
        }
    }

    /// The same work with a part of the messages.
    func divided(by divisor: Int) -> Scenario {
        var scenario = self
        // Several windows at least, so that it is full most of the time.
        let least = max(200, size > 4096 ? 0 : window * 4)
        scenario.count = max(count / divisor, min(count, least))
        return scenario
    }

    static let all: [Scenario] = [
        Scenario(key: "publish", title: "Publish, 256 B", work: .publish, count: 12_000, window: 1000, isQuick: true),
        Scenario(
            key: "publish-1k", title: "Publish, 1 KiB", work: .publish, count: 10_000, size: 1024, window: 1000),
        Scenario(
            key: "publish-64k", title: "Publish, 64 KiB", work: .publish, count: 1_000, size: 65_536, window: 1000),
        Scenario(
            key: "confirm-1000", title: "Publish with confirms, window of 1000, 256 B", work: .confirm, count: 12_000,
            window: 1000, isQuick: true),
        Scenario(
            key: "confirm-1000-1k", title: "Publish with confirms, window of 1000, 1 KiB", work: .confirm,
            count: 10_000, size: 1024, window: 1000),
        Scenario(
            key: "confirm-1000-64k", title: "Publish with confirms, window of 1000, 64 KiB", work: .confirm,
            count: 1_000, size: 65_536, window: 1000),
        Scenario(
            key: "confirm-1", title: "Publish with confirms, one at a time, 256 B", work: .confirm, count: 2_000,
            window: 1, isQuick: true),
        Scenario(
            key: "consume-1", title: "Consume, an acknowledgment each, prefetch 1, 256 B", work: .consume,
            count: 4_000, prefetch: 1, isQuick: true),
        Scenario(
            key: "consume-100", title: "Consume, an acknowledgment each, prefetch 100, 256 B", work: .consume,
            count: 15_000, prefetch: 100, isQuick: true),
        Scenario(
            key: "consume-1000", title: "Consume, an acknowledgment each, prefetch 1000, 256 B", work: .consume,
            count: 15_000, prefetch: 1000, isQuick: true),
        Scenario(
            key: "consume-100-1k", title: "Consume, an acknowledgment each, prefetch 100, 1 KiB", work: .consume,
            count: 10_000, size: 1024, prefetch: 100),
        Scenario(
            key: "consume-100-64k", title: "Consume, an acknowledgment each, prefetch 100, 64 KiB", work: .consume,
            count: 1_000, size: 65_536, prefetch: 100),
        Scenario(
            key: "latency", title: "One message in flight, from the call that publishes to the delivery, 256 B",
            work: .latency, count: 2_000, isQuick: true),
        Scenario(
            key: "fanout-3", title: "Publish with confirms to three queues, window of 1000, 256 B", work: .confirm,
            count: 6_000, window: 1000, queues: 3),
        Scenario(
            key: "connections-10", title: "Publish with confirms over 10 connections, window of 1000 in all, 256 B",
            work: .confirm, count: 10_000, window: 1000, connections: 10),
        Scenario(
            key: "connections-100", title: "Publish with confirms over 100 connections, window of 1000 in all, 256 B",
            work: .confirm, count: 10_000, window: 1000, connections: 100),
        Scenario(key: "idle", title: "Idle: a consumer on an empty queue", work: .idle, seconds: 5, isQuick: true),
    ]
}
