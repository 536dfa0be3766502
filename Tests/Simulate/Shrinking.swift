/// Makes a scenario that fails smaller, for as long as it fails in the same way: fewer users, faults and messages.
struct Shrinking {
    private(set) var scenario: Scenario
    /// What the failure is known by: the first finding without its names and numbers.
    private let kind: String
    /// With less in it everything comes in another order, so each smaller scenario is tried with a few seeds.
    private static let seeds: UInt64 = 20

    /// Nil for a scenario that does not fail.
    init?(_ scenario: Scenario) {
        guard let finding = Run.of(scenario).findings.first else { return nil }
        self.scenario = scenario
        kind = Self.kind(of: finding)
    }

    private static func kind(of finding: String) -> String {
        finding.split(separator: " ").filter { !$0.contains(where: \.isNumber) }.prefix(6).joined(separator: " ")
    }

    /// Tries everything that could go until nothing more can.
    mutating func run() {
        var isSmaller = true
        while isSmaller {
            isSmaller = false
            for candidate in candidates where accept(candidate) {
                isSmaller = true
                break
            }
        }
    }

    private mutating func accept(_ candidate: Scenario) -> Bool {
        var candidate = candidate
        for offset in 0..<Self.seeds {
            candidate.seed = scenario.seed &+ offset
            guard Run.of(candidate).findings.contains(where: { Self.kind(of: $0) == kind }) else { continue }
            scenario = candidate
            return true
        }
        return false
    }

    /// Scenarios with one thing less.
    private var candidates: [Scenario] {
        var all: [Scenario] = []
        func add(_ change: (inout Scenario) -> Void) {
            var candidate = scenario
            change(&candidate)
            all.append(candidate)
        }
        for index in scenario.clients.indices where scenario.clients.count > 1 { add { $0.clients.remove(at: index) } }
        for index in scenario.faults.indices { add { $0.faults.remove(at: index) } }
        if scenario.cuts > 0 { add { $0.cuts = 0 } }
        if scenario.consumerTimeout != nil { add { $0.consumerTimeout = nil } }
        if scenario.syncTime > .zero { add { $0.syncTime = .zero } }
        if scenario.isPieced { add { $0.isPieced = false } }
        if scenario.nodes > 1, !scenario.faults.contains(where: { ($0.kind.node ?? 0) >= scenario.nodes - 1 }) {
            add { $0.nodes -= 1 }
        }
        for (number, client) in scenario.clients.enumerated() {
            if client.closes != nil { add { $0.clients[number].closes = nil } }
            if client.reading != .nothing { add { $0.clients[number].reading = .nothing } }
            for index in client.publishers.indices {
                add { $0.clients[number].publishers.remove(at: index) }
                if client.publishers[index].messages > client.publishers[index].tasks {
                    add { $0.clients[number].publishers[index].messages /= 2 }
                }
                if client.publishers[index].tasks > 1 { add { $0.clients[number].publishers[index].tasks = 1 } }
            }
            for index in client.consumers.indices {
                add { $0.clients[number].consumers.remove(at: index) }
                if client.consumers[index].concurrency > 1 {
                    add { $0.clients[number].consumers[index].concurrency = 1 }
                }
                if client.consumers[index].failures > 0 { add { $0.clients[number].consumers[index].failures = 0 } }
                if client.consumers[index].patience != nil {
                    add { $0.clients[number].consumers[index].patience = nil }
                }
                if client.consumers[index].parting != nil { add { $0.clients[number].consumers[index].parting = nil } }
                if client.consumers[index].span != nil { add { $0.clients[number].consumers[index].span = nil } }
            }
        }
        return all
    }
}

extension Scenario.Fault.Kind {
    /// The node that it befalls.
    var node: Int? {
        switch self {
        case .reset(let node), .silence(let node), .down(let node, _), .frozen(let node, _), .nameless(let node, _),
            .killed(let node, _, _), .stopped(let node, _), .leaderMoved(_, let node):
            node
        case .closedByOperator, .alarm, .deleted, .redeclared, .channelClosed, .withoutRight, .confirmsLost,
            .confirmsRefused:
            nil
        }
    }
}

extension Scenario: CustomStringConvertible {
    /// What happens, a line each.
    var description: String {
        var lines = [
            "seed \(seed): \(nodes) nodes, latency \(latency), \(isPieced ? "in pieces" : "whole"), window \(window), "
                + "heartbeat \(heartbeat), \(cuts) of 100 connections break, queues "
                + queues.map { $0 ? "quorum" : "classic" }.joined(separator: " ") + ", written in \(syncTime)"
                + (consumerTimeout.map { ", settled in \($0)" } ?? "")
        ]
        for (number, client) in clients.enumerated() {
            lines.append(
                "client \(number) reads \(client.reading)" + (client.closes.map { ", closes at \($0)" } ?? ""))
            for publisher in client.publishers { lines.append("    \(publisher)") }
            for consumer in client.consumers { lines.append("    \(consumer)") }
        }
        for fault in faults.sorted(by: { $0.at < $1.at }) { lines.append("\(fault.at): \(fault.kind)") }
        return lines.joined(separator: "\n")
    }
}
