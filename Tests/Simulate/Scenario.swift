import ActorBus
import ActorBusTesting

/// What happens in one run of the search: users of the library, and what befalls them. All of it is drawn from the seed,
/// and can be taken apart to find the least that still fails.
struct Scenario: Sendable {
    /// A connection with its publishers and consumers.
    struct Client: Sendable {
        var publishers: [PublisherPlan] = []
        var consumers: [ConsumerPlan] = []
        /// When its user closes it, or stops to connect, in the middle of everything; nil for never.
        var closes: Duration?
    }

    struct PublisherPlan: Sendable {
        var messages: Int
        var tasks: Int
        var window: Int
        var timeout: Duration
        /// Between two messages of a task, at most.
        var pause: Duration
        /// Whether confirms are waited for behind the sending of the next.
        var sendsAhead: Bool
        /// Of a hundred publishes, how many are cancelled while they are under way, and how many have nowhere to go.
        var cancelled: UInt64
        var unroutable: UInt64
    }

    struct ConsumerPlan: Sendable {
        enum Style: Sendable { case process, deliveries }

        var queue: Int
        var style: Style
        var prefetch: UInt16
        var concurrency: Int
        var handling: Duration
        /// Of a hundred deliveries, how many a handler throws at or puts back.
        var failures: UInt64
        /// How long its user consumes before it stops and begins again; nil for always.
        var span: Duration?
    }

    struct Fault: Sendable {
        enum Kind: Sendable {
            case reset(node: Int)
            case silence(node: Int)
            case down(node: Int, Duration)
            case frozen(node: Int, Duration)
            case nameless(node: Int, Duration)
            case closedByOperator
            case alarm(Duration)
            case deleted(queue: Int)
        }

        var at: Duration
        var kind: Kind
    }

    var seed: UInt64
    var nodes: Int
    var latency: ClosedRange<Duration>
    var isPieced: Bool
    var window: Int
    var heartbeat: Duration
    /// Whether each queue is a quorum queue.
    var queues: [Bool]
    var clients: [Client]
    var faults: [Fault]
    /// Of a hundred connections, how many break after a number of bytes, while faults last.
    var cuts: UInt64

    /// How long faults last.
    static let stormy = Duration.seconds(60)
    /// How long it may take, once they are over, until every consumer is registered and every publisher attached.
    static let recovery = Duration.seconds(90)

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed ^ 0x5EED)
        func upTo(_ most: UInt64) -> UInt64 { random.next() % (most + 1) }
        func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }
        func duration(_ most: UInt64) -> Duration { .milliseconds(Int64(upTo(most))) }

        self.seed = seed
        nodes = Int(1 + upTo(2))
        latency = chance(50) ? .microseconds(20)...(.milliseconds(1)) : .milliseconds(1)...(.milliseconds(80))
        isPieced = chance(70)
        window = chance(20) ? 700 : 64 << 10
        heartbeat = .seconds(Int64(1 + upTo(9)))
        queues = (0..<1 + upTo(1)).map { _ in chance(40) }
        clients = []
        let queueCount = UInt64(queues.count)
        for _ in 0..<1 + upTo(2) {
            var client = Client()
            for _ in 0..<upTo(2) {
                let (tasks, each) = (Int64(1 + upTo(3)), Int64(1 + upTo(25)))
                // Most publish all the time that faults last, some everything at once.
                let pause = chance(80) ? Duration.seconds(120) / Int(each) : .zero
                client.publishers.append(
                    PublisherPlan(
                        messages: Int(tasks * each), tasks: Int(tasks), window: Int(1 + upTo(20)),
                        timeout: .seconds(Int64(2 + upTo(28))), pause: pause, sendsAhead: chance(30),
                        cancelled: chance(30) ? upTo(50) : 0, unroutable: chance(30) ? upTo(30) : 0))
            }
            for _ in 0..<upTo(2) {
                client.consumers.append(
                    ConsumerPlan(
                        queue: Int(upTo(queueCount - 1)), style: chance(70) ? .process : .deliveries,
                        prefetch: UInt16(1 + upTo(20)), concurrency: Int(1 + upTo(5)), handling: duration(300),
                        failures: chance(30) ? upTo(20) : 0, span: chance(30) ? duration(20_000) : nil))
            }
            if chance(15) { client.closes = duration(70_000) }
            clients.append(client)
        }
        faults = []
        for _ in 0..<upTo(8) {
            var moment = duration(60_000)
            // Trouble comes in company, often while the last of it is being mended.
            repeat {
                let node = Int(upTo(UInt64(nodes) - 1))
                let kind: Fault.Kind =
                    switch upTo(10) {
                    case 0, 1: .reset(node: node)
                    case 2: .silence(node: node)
                    case 3: .down(node: node, duration(15_000))
                    case 4: .frozen(node: node, duration(25_000))
                    case 5: .nameless(node: node, duration(10_000))
                    case 6, 7: .closedByOperator
                    case 8, 9: .deleted(queue: Int(upTo(queueCount - 1)))
                    default: .alarm(duration(20_000))
                    }
                faults.append(Fault(at: moment, kind: kind))
                moment += duration(chance(60) ? 20 : 1_000)
            } while chance(60)
        }
        cuts = chance(50) ? upTo(60) : 0
    }
}
