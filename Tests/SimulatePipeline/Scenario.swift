import ActorBusTesting
import Pipeline

/// What happens in one run: services that are started, orders that they work on, and what befalls them. All of it is drawn
/// from the seed, and can be taken apart to find the least that still fails.
struct Scenario: Sendable {
    /// A process of one service, which is started again whenever it ends.
    struct Service: Sendable {
        var kind: ServiceKind
        var replicas = 1
        var prefetch: UInt16 = 1
        var concurrency = 1
    }

    struct Fault: Sendable {
        enum Kind: Sendable {
            /// A service gets a signal once it has done so many more steps, and is started again so long after its end.
            case signal(SimulatedProcess.Signal, service: Int, steps: Int, pause: Duration)
            case reset(node: Int)
            case silence(node: Int)
            case frozen(node: Int, Duration)
            case nodeKilled(node: Int, Duration, losingUnsynced: Bool)
            case leader(of: PipelineQueue, to: Int)
            case alarm(Duration)
            case closedByOperator
            /// So many messages that nobody can read.
            case poison(PipelineExchange, Int)
        }

        var at: Duration
        var kind: Kind
    }

    var seed: UInt64
    var nodes = 1
    var queueType = QueueType.classic
    var latency: ClosedRange<Duration> = .microseconds(20)...(.milliseconds(1))
    var isPieced = false
    var window = 64 << 10
    var heartbeat = Duration.seconds(30)
    /// How long the broker takes to write to disk.
    var syncTime = Duration.zero
    /// Of a hundred connections, how many break after a number of bytes, while faults last.
    var cuts: UInt64 = 0
    /// How long a service that is stopped may take to finish what it has in hand.
    var drain = Duration.seconds(25)
    var orders: Int64 = 20
    /// Orders at once, the seconds from one batch to the next, and what those of payment and fulfilment are divided by.
    var batch = "1-5"
    var interval = "1-5"
    var speed = "1"
    /// The share of the calls at which the gateway is unavailable, and of those that it answers late.
    var gatewayFailures = "0"
    var gatewayLateness = "0"
    var services: [Service] = ServiceKind.allCases.map { Service(kind: $0) }
    var faults: [Fault] = []

    /// How long faults last.
    static let stormy = Duration.seconds(60)
    /// How long it may take, once they are over, until every service is ready.
    static let recovery = Duration.seconds(120)
    /// How long it may take from then on until every queue is empty: the longest stay in a retry queue, and once more
    /// where its move was refused.
    static let draining = Duration.seconds(1_800)

    /// A run that nothing befalls.
    init(calm seed: UInt64) { self.seed = seed }

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededGenerator(seed: seed ^ 0x0BDE_25ED)
        func upTo(_ most: UInt64) -> UInt64 { random.next() % (most + 1) }
        func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }
        func duration(_ most: UInt64) -> Duration { .milliseconds(Int64(upTo(most))) }
        func one<Element>(of all: [Element]) -> Element { all[Int(upTo(UInt64(all.count - 1)))] }

        // In a cluster RabbitMQ takes away the route to a classic queue whose node is away, without a word to publishers
        // whose connections stay: nothing that a client could see.
        queueType = chance(50) ? .quorum : .classic
        nodes = queueType == .quorum && chance(60) ? 3 : 1
        if chance(50) { latency = .milliseconds(1)...(.milliseconds(60)) }
        isPieced = chance(50)
        if chance(15) { window = 1_400 }
        heartbeat = .seconds(Int64(5 + upTo(25)))
        if chance(50) { syncTime = duration(200) }
        if chance(40) { cuts = upTo(40) }
        if chance(40) { drain = .milliseconds(100) + duration(2_000) }
        orders = Int64(chance(25) ? 100 + upTo(400) : 5 + upTo(55))
        batch = orders > 60 ? "10-20" : one(of: ["1-5", "1-1", "10-20"])
        interval = one(of: ["1-5", "0.1-1", "0-0"])
        speed = orders > 60 ? "max" : one(of: ["1", "1", "10", "max"])
        if chance(30) { gatewayFailures = one(of: ["0.1", "0.4"]) }
        if chance(30) { gatewayLateness = "0.1" }
        services = []
        for kind in ServiceKind.allCases {
            let isAlone = kind == .generator || chance(60)
            for _ in 0..<(isAlone ? 1 : 2) {
                let concurrency = 1 + upTo(chance(40) ? 7 : 0)
                services.append(
                    Service(
                        kind: kind, replicas: kind == .payment ? Int(1 + upTo(1)) : 1,
                        prefetch: UInt16(concurrency + (chance(30) ? upTo(20) : 0)), concurrency: Int(concurrency)))
            }
        }
        for _ in 0..<2 + upTo(8) {
            var moment = duration(60_000)
            // Trouble comes in company, often while the last of it is being mended.
            repeat {
                let node = Int(upTo(UInt64(nodes) - 1))
                let kind: Fault.Kind =
                    switch upTo(19) {
                    case 0...8:
                        .signal(
                            one(of: [.kill, .kill, .terminate, .terminate, .powerOff]),
                            service: Int(upTo(UInt64(services.count) - 1)),
                            steps: Int(upTo(1 << upTo(11))), pause: duration(chance(50) ? 100 : 10_000))
                    case 9, 10: .reset(node: node)
                    case 11: .silence(node: node)
                    case 12: .frozen(node: node, duration(25_000))
                    case 13, 14: .nodeKilled(node: node, duration(15_000), losingUnsynced: chance(50))
                    case 15: .leader(of: one(of: PipelineQueue.allCases), to: node)
                    case 16: .alarm(duration(20_000))
                    case 17: .closedByOperator
                    default: .poison(one(of: PipelineExchange.allCases), Int(1 + upTo(5)))
                    }
                faults.append(Fault(at: moment, kind: kind))
                moment += duration(chance(60) ? 20 : 1_000)
            } while chance(50)
        }
    }
}

extension Scenario: CustomStringConvertible {
    /// What happens, a line each.
    var description: String {
        var lines = [
            "seed \(seed): \(nodes) nodes, \(queueType.rawValue) queues, latency \(latency), "
                + "\(isPieced ? "in pieces" : "whole"), window \(window), heartbeat \(heartbeat), \(syncTime) to disk, "
                + "\(cuts) of 100 connections break",
            "\(orders) orders, \(batch) at once, every \(interval) s, speed \(speed), gateway unavailable "
                + "\(gatewayFailures), late \(gatewayLateness), drain \(drain)",
        ]
        for (number, service) in services.enumerated() {
            lines.append(
                "service \(number): \(service.kind.rawValue), \(service.replicas) replicas, prefetch \(service.prefetch), "
                    + "concurrency \(service.concurrency)")
        }
        for fault in faults.sorted(by: { $0.at < $1.at }) { lines.append("\(fault.at): \(fault.kind)") }
        return lines.joined(separator: "\n")
    }
}
