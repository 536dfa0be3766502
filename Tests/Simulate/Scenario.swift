import ActorBus
import ActorBusTesting

/// What happens in one run of the search: users of the library, and what befalls them. All of it is drawn from the seed,
/// and can be taken apart to find the least that still fails.
struct Scenario: Sendable {
    /// A connection with its publishers and consumers.
    struct Client: Sendable {
        /// What it does with the events of its connection.
        enum Reading: Sendable { case all, slowly, nothing }

        var publishers: [PublisherPlan] = []
        var consumers: [ConsumerPlan] = []
        var reading = Reading.all
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
        /// Whether its user keeps it when all is published.
        var isKept: Bool
    }

    struct ConsumerPlan: Sendable {
        enum Style: Sendable { case process, deliveries }
        enum Parting: CaseIterable, Sendable { case deleted, channelClosed, reset }

        var queue: Int
        var style = Style.process
        var prefetch: UInt16
        var concurrency = 1
        var handling: Duration
        /// Of a hundred deliveries, how many a handler throws at or puts back.
        var failures: UInt64 = 0
        /// How long a handler may take before it is cancelled; nil for long enough.
        var patience: Duration?
        /// How long its user consumes before it stops and begins again; nil for always. Some of these times are cut to next to
        /// nothing.
        var span: Duration?
        /// What befalls it in the moment in which its user stops.
        var parting: Parting?
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
            /// Deleted, and declared by somebody else with other arguments, which are gone with the other faults.
            case redeclared(queue: Int)
            /// The broker closes a channel, which one is drawn, as if something on it had been wrong.
            case channelClosed
            /// The node is killed, and started again.
            case killed(node: Int, Duration, losingUnsynced: Bool)
            /// The broker's process is stopped, and goes on: unlike `frozen` quorum queues choose another leader.
            case stopped(node: Int, Duration)
            case leaderMoved(queue: Int, node: Int)
            /// A right of the user is missing; every connection begins anew with that.
            case withoutRight(Right, Duration)
            /// Publishes get no answer.
            case confirmsLost(Duration)
            /// No publisher gets a channel.
            case confirmsRefused(Duration)
        }

        enum Right: CaseIterable, Sendable { case configure, write, read }

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
    /// How long the broker waits for a settlement; nil for long enough.
    var consumerTimeout: Duration?
    /// How long it takes to write to disk, before it confirms.
    var syncTime: Duration
    var clients: [Client]
    var faults: [Fault]
    /// Of a hundred connections, how many break after a number of bytes, while faults last.
    var cuts: UInt64

    /// How long faults last.
    static let stormy = Duration.seconds(60)
    /// How long it may take, once they are over, until every consumer is registered and every publisher attached.
    static let recovery = Duration.seconds(90)
    /// How long, once they are over, what they did may still cost a connection: two heartbeats.
    static let calming = Duration.seconds(45)

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
        consumerTimeout = chance(10) ? .seconds(2) : nil
        syncTime = chance(30) ? duration(200) : .zero
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
                        cancelled: chance(30) ? upTo(50) : 0, unroutable: chance(30) ? upTo(30) : 0,
                        isKept: chance(50)))
            }
            for _ in 0..<upTo(2) {
                let isLong = chance(10) || consumerTimeout != nil && chance(50)
                client.consumers.append(
                    ConsumerPlan(
                        queue: Int(upTo(queueCount - 1)), style: chance(60) ? .process : .deliveries,
                        prefetch: UInt16(1 + upTo(20)), concurrency: Int(1 + upTo(5)),
                        handling: duration(isLong ? 5_000 : 300), failures: chance(30) ? upTo(20) : 0,
                        patience: chance(15) ? .milliseconds(200) + duration(1_000) : nil,
                        span: chance(40) ? .seconds(1) + duration(20_000) : nil,
                        parting: chance(30) ? ConsumerPlan.Parting.allCases[Int(upTo(2))] : nil))
            }
            client.reading = chance(60) ? .all : chance(50) ? .slowly : .nothing
            if chance(15) { client.closes = duration(chance(25) ? 0 : 70_000) }
            clients.append(client)
        }
        faults = []
        for _ in 0..<upTo(8) {
            var moment = duration(60_000)
            // Trouble comes in company, often while the last of it is being mended.
            repeat {
                let node = Int(upTo(UInt64(nodes) - 1))
                let queue = Int(upTo(queueCount - 1))
                let kind: Fault.Kind =
                    switch upTo(20) {
                    case 0, 1: .reset(node: node)
                    case 2: .silence(node: node)
                    case 3: .down(node: node, duration(15_000))
                    case 4: .frozen(node: node, duration(25_000))
                    case 5: .nameless(node: node, duration(10_000))
                    case 6, 7: .closedByOperator
                    case 8, 9, 10: .deleted(queue: queue)
                    case 11: .alarm(duration(20_000))
                    case 12: .redeclared(queue: queue)
                    case 13, 14: .channelClosed
                    case 15: .killed(node: node, duration(15_000), losingUnsynced: chance(50))
                    case 16: .stopped(node: node, duration(15_000))
                    case 17: .leaderMoved(queue: queue, node: node)
                    case 18: .withoutRight(Fault.Right.allCases[Int(upTo(2))], duration(15_000))
                    case 19: .confirmsLost(duration(10_000))
                    default: .confirmsRefused(duration(10_000))
                    }
                faults.append(Fault(at: moment, kind: kind))
                moment += duration(chance(60) ? 20 : 1_000)
            } while chance(60)
        }
        cuts = chance(50) ? upTo(60) : 0
    }
}

// MARK: What may come of its faults

extension Scenario {
    private func has(_ isOne: (Fault.Kind) -> Bool) -> Bool { faults.contains { isOne($0.kind) } }

    /// Whether nothing at all befalls anybody.
    var isUndisturbed: Bool {
        faults.isEmpty && cuts == 0 && consumerTimeout == nil
            && clients.allSatisfy { $0.consumers.allSatisfy { $0.parting == nil } }
    }

    /// Whether client and broker may not hear for a while what has become of a channel.
    var isSilencing: Bool {
        cuts > 0
            || has {
                switch $0 {
                case .silence, .frozen, .stopped, .killed, .alarm: true
                default: false
                }
            }
    }

    var hasAlarms: Bool { has { if case .alarm = $0 { true } else { false } } }

    /// Whether the broker closes channels over single messages.
    var closesChannels: Bool { lacksRights || hasClosedChannels || hasRedeclaredQueues }

    private var lacksRights: Bool { has { if case .withoutRight = $0 { true } else { false } } }
    private var hasClosedChannels: Bool {
        has { if case .channelClosed = $0 { true } else { false } }
            || clients.contains { $0.consumers.contains { $0.parting == .channelClosed } }
    }
    private var hasRedeclaredQueues: Bool { has { if case .redeclared = $0 { true } else { false } } }

    /// Whether the broker may have refused something at its beginning, where a refusal is final.
    func mayBeRefused(_ error: AMQPError) -> Bool {
        switch error.code {
        case .accessRefused: lacksRights
        case .preconditionFailed: hasRedeclaredQueues
        default: false
        }
    }

    /// Whether the broker may have closed a publisher's channel so.
    func mayCloseChannels(with error: AMQPError) -> Bool {
        switch error.code {
        case .accessRefused: lacksRights
        case .notFound, .resourceLocked, .preconditionFailed: hasClosedChannels
        default: false
        }
    }
}
