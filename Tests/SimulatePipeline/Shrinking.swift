/// Takes away from a scenario that fails whatever can go while it still fails in the same way.
struct Shrinking {
    private(set) var scenario: Scenario
    private let kind: String

    /// Nil for a scenario that finds nothing.
    init?(_ scenario: Scenario) throws {
        guard let finding = try Run.of(scenario).findings.first else { return nil }
        self.scenario = scenario
        kind = Self.kind(of: finding)
    }

    /// The words of a finding, without names and numbers.
    private static func kind(of finding: String) -> String {
        finding.split(separator: " ").filter { word in !word.contains(where: \.isNumber) }.prefix(6)
            .joined(separator: " ")
    }

    mutating func run() throws {
        while try takeSomethingAway() {}
    }

    private mutating func takeSomethingAway() throws -> Bool {
        for candidate in candidates {
            let findings = try Run.of(candidate).findings
            guard findings.contains(where: { Self.kind(of: $0) == kind }) else { continue }
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
        for index in scenario.faults.indices { add { $0.faults.remove(at: index) } }
        if scenario.orders > 1 {
            add { $0.orders /= 2 }
            add { $0.orders -= 1 }
        }
        if scenario.cuts > 0 { add { $0.cuts = 0 } }
        if scenario.isPieced { add { $0.isPieced = false } }
        if scenario.syncTime > .zero { add { $0.syncTime = .zero } }
        if scenario.drain < .seconds(25) { add { $0.drain = .seconds(25) } }
        if scenario.gatewayFailures != "0" { add { $0.gatewayFailures = "0" } }
        if scenario.gatewayLateness != "0" { add { $0.gatewayLateness = "0" } }
        for (index, service) in scenario.services.enumerated() {
            if service.concurrency > 1 { add { $0.services[index].concurrency = 1 } }
            if service.prefetch > 1 { add { $0.services[index].prefetch = 1 } }
            if service.replicas > 1 { add { $0.services[index].replicas = 1 } }
        }
        return all
    }
}
