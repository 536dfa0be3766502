import ActorBus
import Logging
import Pipeline

/// What a run needs of the broker, looked at in the order in which it would fail.
struct BrokerChecks: Sendable {
    private let target: RunTarget
    private let topology: Topology
    private let queueType: QueueType
    private let broker: ConnectionConfiguration

    private static let names = "names"
    private static let connection = "connection"
    private static let login = "login"
    private static let virtualHost = "virtual host"
    private static let topologyName = "topology"
    private static let queues = "queues"
    /// How long a host may take to answer where another has answered already.
    private static let otherHostPatience = Duration.seconds(3)
    static let silent = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }

    /// The checks, each with one line or more.
    static func all(
        _ target: RunTarget, _ queueType: QueueType, _ broker: ConnectionConfiguration
    ) -> [@Sendable () async -> [Finding]] {
        let checks = BrokerChecks(
            target: target, topology: PipelineTopology.all(queueType), queueType: queueType, broker: broker)
        return [{ await checks.resolve() }, { await checks.connect() }]
    }

    // MARK: Names

    private func resolve() async -> [Finding] {
        var findings: [Finding] = []
        var resolved = 0
        for endpoint in broker.endpoints {
            do {
                let addresses = try await endpoint.addresses(timeout: broker.connectTimeout)
                resolved += 1
                findings.append(
                    .good(Self.names, "\(endpoint.host) is \(Set(addresses).sorted().joined(separator: ", "))"))
            } catch {
                findings.append(.bad(Self.names, error))
            }
        }
        // One that can be had is enough to work with.
        guard resolved > 0 else { return findings }
        return findings.map { finding in
            guard case .bad = finding.mark else { return finding }
            return .warning(Self.names, finding.words, remedy: "correct the name, or take it from the list")
        }
    }

    // MARK: Connection

    private func connect() async -> [Finding] {
        do {
            return try await withConnection(to: broker, logger: Self.silent) { connection in
                guard let endpoint = await connection.endpoint else {
                    throw AMQPError(.connectionLost, "the broker ended the connection at once")
                }
                let others = broker.endpoints.filter { $0 != endpoint }
                let findings: [Finding] =
                    [.good(Self.connection, "a broker answers at \(endpoint)")]
                    + (await answers(of: others) { $0 == nil }) + [
                        .good(Self.login, "as \(broker.userInWords)"),
                        .good(Self.virtualHost, "'\(broker.virtualHost)' may be entered"),
                    ]
                return findings + (try await look(at: connection))
            }
        } catch {
            return await explain(error)
        }
    }

    private func explain(_ error: any Error) async -> [Finding] {
        let rest = [PermissionChecks.subject, Self.topologyName, Self.queues, DeliveryLimits.subject].map {
            Finding.skipped($0, "not looked at without a connection")
        }
        switch (error as? AMQPError)?.code {
        case .loginRefused: return await refusing() + [.bad(Self.login, error)] + rest
        case .virtualHostRefused:
            return await refusing() + [.good(Self.login, "as \(broker.userInWords)"), .bad(Self.virtualHost, error)]
                + rest
        default: return [.bad(Self.connection, error)] + (await suspicions()) + rest
        }
    }

    /// The hosts, where each that answers has refused something.
    private func refusing() async -> [Finding] {
        if broker.endpoints.count == 1 {
            return [.good(Self.connection, "a broker answers at \(broker.endpoints[0])")]
        }
        return await answers(of: broker.endpoints) { $0?.code != .brokerUnreachable }
    }

    /// What each of these hosts has to say, asked at once and not for long: a run goes to them when the others are away.
    private func answers(
        of endpoints: [ConnectionConfiguration.Endpoint], isGood: @escaping @Sendable (AMQPError?) -> Bool
    ) async -> [Finding] {
        await withTaskGroup(of: (Int, Finding).self) { group in
            for (place, endpoint) in endpoints.enumerated() {
                group.addTask {
                    let error = await refusal(at: endpoint)
                    guard let error, !isGood(error) else {
                        return (place, .good(Self.connection, "a broker answers at \(endpoint)"))
                    }
                    return (
                        place,
                        .warning(
                            Self.connection, error.message,
                            remedy: "a run does without it while another of the list answers; look after that broker, "
                                + "or take it from the list")
                    )
                }
            }
            var findings: [(Int, Finding)] = []
            for await finding in group { findings.append(finding) }
            return findings.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// Why one of the hosts is of no use; nil when it is.
    private func refusal(at endpoint: ConnectionConfiguration.Endpoint) async -> AMQPError? {
        var access = broker
        access.endpoints = [endpoint]
        access.connectAttempts = 1
        access.connectTimeout = min(broker.connectTimeout, Self.otherHostPatience)
        do {
            try await withConnection(to: access, logger: Self.silent) { _ in }
            return nil
        } catch {
            return error as? AMQPError ?? AMQPError(.brokerUnreachable, "\(endpoint) was not asked: \(error)")
        }
    }

    /// Addresses at which TLS is spoken, where plain AMQP was expected.
    private func suspicions() async -> [Finding] {
        guard broker.tls == nil else { return [] }
        var findings: [Finding] = []
        for endpoint in broker.endpoints
        where await TLSProbe.speaksTLS(host: endpoint.host, port: endpoint.port, within: .seconds(2)) {
            findings.append(
                .bad(
                    Self.connection, "at \(endpoint) TLS is spoken, not plain AMQP",
                    remedy: "use amqps://, or the port of plain AMQP, 5672 as a rule",
                    status: ExitStatus.brokerUnreachable))
        }
        return findings
    }

    // MARK: What the broker holds

    private func look(at connection: AMQPConnection) async throws -> [Finding] {
        let differences = try await connection.differences(from: topology)
        let missing = Set(
            differences.compactMap { difference -> String? in
                guard difference.finding == .missing, case .queue(let name) = difference.resource else { return nil }
                return name
            })
        let limits = DeliveryLimits(broker: broker, topology: topology, queueType: queueType)
        let permissions = PermissionChecks(target: target, topology: topology, broker: broker)
        return try await permissions.findings(differences, over: connection)
            + Self.comparison(of: topology, differences) + (try await queues(differences, connection))
            + (try await limits.findings(over: connection, missing: missing))
    }

    static func comparison(of topology: Topology, _ differences: [TopologyDifference]) -> [Finding] {
        var findings: [Finding] = []
        var missing: [TopologyDifference.Resource] = []
        var unknown: [TopologyDifference.Resource] = []
        var why: String?
        for difference in differences {
            switch difference.finding {
            case .different:
                findings.append(
                    .bad(
                        topologyName, "\(difference)", remedy: TopologyCommand.remedy(for: [difference]),
                        status: ExitStatus.configuration))
            case .missing: missing.append(difference.resource)
            case .unknown(let words):
                unknown.append(difference.resource)
                why = why ?? words
            }
        }
        if !missing.isEmpty {
            let words = "not there yet: \(count(missing, of: topology)); each service declares them when it starts"
            findings.append(.good(topologyName, words))
        }
        if let why {
            findings.append(.skipped(topologyName, "not compared: \(count(unknown, of: topology)): \(why)"))
        }
        guard findings.isEmpty else { return findings }
        let all = "\(topology.exchanges.count) exchanges and \(topology.queues.count) queues"
        return [.good(topologyName, "\(all) are as they should be")]
    }

    private static func count(_ resources: [TopologyDifference.Resource], of topology: Topology) -> String {
        let exchanges = resources.count { if case .exchange = $0 { true } else { false } }
        let queues = resources.count - exchanges
        return [(exchanges, topology.exchanges.count, "exchanges"), (queues, topology.queues.count, "queues")]
            .filter { count, _, _ in count > 0 }
            .map { count, all, kind in "\(count) of \(all) \(kind)" }
            .joined(separator: " and ")
    }

    /// Messages that nobody takes, and letters that nobody has looked at.
    private func queues(
        _ differences: [TopologyDifference], _ connection: AMQPConnection
    ) async throws -> [Finding] {
        let missing = Set(differences.filter { $0.finding == .missing }.map(\.resource))
        var findings: [Finding] = []
        for queue in PipelineQueue.allCases {
            for name in [queue.rawValue, queue.deadLetterQueue] where !missing.contains(.queue(name)) {
                do {
                    let depth = try await connection.inspect(queue: name)
                    if let finding = Self.finding(of: depth, in: name, isDeadLetters: name != queue.rawValue) {
                        findings.append(finding)
                    }
                } catch let error as AMQPError where error.code != .connectionLost && error.code != .connectionClosed {
                    findings.append(.warning(Self.queues, "\(name) could not be looked at: \(error.message)"))
                }
            }
        }
        return findings.isEmpty
            ? [.good(Self.queues, "nothing waits for a consumer, and there are no dead letters")] : findings
    }

    private static func finding(of depth: QueueDepth, in name: String, isDeadLetters: Bool) -> Finding? {
        if isDeadLetters {
            guard depth.messages > 0 else { return nil }
            return .warning(
                queues, (depth.messages == 1 ? "1 dead letter" : "\(depth.messages) dead letters") + " in \(name)",
                remedy: "'pipeline-run dlq list' says why")
        }
        guard depth.messages > 0, depth.consumers == 0 else { return nil }
        return .warning(
            queues,
            (depth.messages == 1 ? "1 message waits" : "\(depth.messages) messages wait")
                + " in \(name), and nobody consumes", remedy: "start its service")
    }
}
