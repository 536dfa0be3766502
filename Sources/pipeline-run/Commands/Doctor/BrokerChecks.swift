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
    private static let permissions = "permissions"
    private static let topologyName = "topology"
    private static let queues = "queues"

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
        let hosts = broker.endpoints.map(\.description).joined(separator: ", ")
        do {
            let silent = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
            return try await withConnection(to: broker, logger: silent) { connection in
                var findings: [Finding] = [
                    .good(Self.connection, "a broker answers at \(hosts)"),
                    .good(Self.login, "as '\(broker.user)'"),
                    .good(Self.virtualHost, "'\(broker.virtualHost)' may be entered"),
                ]
                if let blocked = connection.status.blocked {
                    findings.append(
                        .warning(
                            Self.connection, "the broker takes no messages for now: \(blocked)",
                            remedy: "free memory or disk on the broker's machine, or raise the limit"))
                }
                findings += try await look(at: connection)
                return findings
            }
        } catch {
            return await explain(error, hosts)
        }
    }

    private func explain(_ error: any Error, _ hosts: String) async -> [Finding] {
        let reached = Finding.good(Self.connection, "a broker answers at \(hosts)")
        let rest = [Self.permissions, Self.topologyName, Self.queues, DeliveryLimits.subject].map {
            Finding.skipped($0, "not looked at without a connection")
        }
        switch (error as? AMQPError)?.code {
        case .loginRefused: return [reached, .bad(Self.login, error)] + rest
        case .virtualHostRefused:
            return [reached, .good(Self.login, "as '\(broker.user)'"), .bad(Self.virtualHost, error)] + rest
        default: return [.bad(Self.connection, error)] + (await suspicions()) + rest
        }
    }

    /// Addresses at which TLS is spoken, where plain AMQP was expected.
    private func suspicions() async -> [Finding] {
        var findings: [Finding] = []
        for endpoint in broker.endpoints
        where await TLSProbe.speaksTLS(host: endpoint.host, port: endpoint.port, within: .seconds(2)) {
            findings.append(
                .bad(
                    Self.connection, "at \(endpoint) TLS is spoken, not plain AMQP",
                    remedy: "name the port of plain AMQP, 5672 as a rule", status: ExitStatus.brokerUnreachable))
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
        return try await permissions(differences, connection) + topology(differences)
            + (try await queues(differences, connection))
            + (try await limits.findings(over: connection, missing: missing))
    }

    private func permissions(
        _ differences: [TopologyDifference], _ connection: AMQPConnection
    ) async throws -> [Finding] {
        let missing = Set(differences.filter { $0.finding == .missing }.map(\.resource))
        let undeclarable = differences.compactMap { difference in
            if case .unknown = difference.finding { difference.resource } else { nil }
        }
        var refused = Self.declares(undeclarable, of: topology)
        let exchanges = target.services.compactMap(\.publishedTo)
        for exchange in exchanges where !missing.contains(.exchange(exchange.rawValue)) {
            if try await !connection.mayPublish(to: exchange.rawValue) {
                refused.append("publish to the exchange '\(exchange.rawValue)'")
            }
        }
        let queues = target.services.flatMap(\.queues)
        if !queues.isEmpty, try await !connection.mayPublish(to: "") {
            refused.append("publish dead letters (the default exchange, 'amq.default')")
        }
        for queue in queues where !missing.contains(.queue(queue.rawValue)) {
            if try await !connection.mayConsume(from: queue.rawValue) {
                refused.append("consume from the queue '\(queue.rawValue)'")
            }
        }
        guard refused.isEmpty else {
            return [
                .bad(
                    Self.permissions, "'\(broker.user)' may not \(refused.joined(separator: ", nor "))",
                    remedy: "rabbitmqctl set_permissions gives configure, write and read",
                    status: ExitStatus.configuration)
            ]
        }
        let unasked = missing.isEmpty ? "" : "; of what is missing nothing can be told"
        return [.good(Self.permissions, "'\(broker.user)' may declare, publish and consume\(unasked)")]
    }

    /// What may not be declared, in few words: usually it is all of it, and that must leave room for what else is missing.
    static func declares(_ resources: [TopologyDifference.Resource], of topology: Topology) -> [String] {
        var (exchanges, queues): ([String], [String]) = ([], [])
        for resource in resources {
            switch resource {
            case .exchange(let name): exchanges.append(name)
            case .queue(let name): queues.append(name)
            }
        }
        return [(exchanges, topology.exchanges.count, "exchanges"), (queues, topology.queues.count, "queues")]
            .filter { names, _, _ in !names.isEmpty }
            .map { names, all, kind in
                let rest = names.count > 3 ? ", …" : ""
                return "declare \(names.count) of \(all) \(kind) (\(names.prefix(3).joined(separator: ", "))\(rest))"
            }
    }

    private func topology(_ differences: [TopologyDifference]) -> [Finding] {
        let others = differences.filter { if case .different = $0.finding { true } else { false } }
        guard others.isEmpty else {
            return others.map {
                .bad(
                    Self.topologyName, "\($0)", remedy: TopologyCommand.remedy(for: [$0]),
                    status: ExitStatus.configuration)
            }
        }
        let all = "\(topology.exchanges.count) exchanges and \(topology.queues.count) queues"
        let missing = differences.count { $0.finding == .missing }
        guard missing > 0 else { return [.good(Self.topologyName, "\(all) are as they should be")] }
        return [.good(Self.topologyName, "\(missing) of \(all) are missing; every service makes them when it starts")]
    }

    /// Messages that nobody takes, and letters that nobody has looked at.
    private func queues(
        _ differences: [TopologyDifference], _ connection: AMQPConnection
    ) async throws -> [Finding] {
        let missing = Set(differences.filter { $0.finding == .missing }.map(\.resource))
        var findings: [Finding] = []
        for queue in PipelineQueue.allCases {
            if !missing.contains(.queue(queue.rawValue)) {
                let depth = try await connection.inspect(queue: queue.rawValue)
                if depth.messages > 0, depth.consumers == 0 {
                    findings.append(
                        .warning(
                            Self.queues,
                            (depth.messages == 1 ? "1 message waits" : "\(depth.messages) messages wait")
                                + " in \(queue.rawValue), and nobody consumes",
                            remedy: "start its service"))
                }
            }
            if !missing.contains(.queue(queue.deadLetterQueue)) {
                let letters = try await connection.inspect(queue: queue.deadLetterQueue).messages
                if letters > 0 {
                    findings.append(
                        .warning(
                            Self.queues,
                            (letters == 1 ? "1 dead letter" : "\(letters) dead letters")
                                + " in \(queue.deadLetterQueue)",
                            remedy: "'pipeline-run dlq list' says why"))
                }
            }
        }
        return findings.isEmpty
            ? [.good(Self.queues, "nothing waits for a consumer, and there are no dead letters")] : findings
    }
}

extension ServiceKind {
    /// The exchange that the service publishes its events to; nil where it publishes none.
    fileprivate var publishedTo: PipelineExchange? {
        switch self {
        case .generator: .orders
        case .payment: .payments
        case .fulfillment: .shipments
        case .notification: nil
        }
    }
}
