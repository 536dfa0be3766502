import ActorBus
import Pipeline

/// What the user may do of all that a run does at the broker.
struct PermissionChecks: Sendable {
    static let subject = "permissions"
    private static let publishingSubject = "publishing"
    /// How long the broker may take to answer on the connection that publishes.
    private static let patience = Duration.seconds(3)

    let target: RunTarget
    let topology: Topology
    let broker: ConnectionConfiguration

    /// - Parameter differences: of what the broker holds from the topology; what is there and can be compared may be
    ///   declared.
    func findings(_ differences: [TopologyDifference], over connection: AMQPConnection) async throws -> [Finding] {
        let undeclared: Set<TopologyDifference.Resource> = Set(
            differences.compactMap { difference in
                if case .different = difference.finding { return nil }
                return difference.resource
            })
        let newExchanges = topology.exchanges.filter { undeclared.contains(.exchange($0.name)) }
        let newQueues = topology.queues.filter { undeclared.contains(.queue($0.name)) }
        let exchanges = try await Answers(to: newExchanges) { try await connection.mayDeclare($0) }
        let declarations = try await Answers(to: newQueues) { try await connection.mayDeclare($0) }
        let bindings = topology.queues.flatMap { queue in
            queue.bindings.map { (queue: queue.name, exchange: $0.exchange) }
        }
        let binding = try await Answers(to: bindings) { try await connection.mayBind($0.queue, to: $0.exchange) }
        let queues = target.services.flatMap(\.queues).map(\.rawValue)
        let consuming = try await Answers(to: queues) { try await connection.mayConsume(from: $0) }
        let (publishing, trouble) = await publishing()
        var deeds = [
            Deed(
                name: "declare", refused: declares(exchanges.refused, declarations.refused),
                unknown: declares(exchanges.unknown, declarations.unknown)),
            Deed(
                name: "bind", refused: Self.binds(binding.refused, of: bindings.count),
                unknown: Self.binds(binding.unknown, of: bindings.count)),
            Deed(
                name: "publish", refused: publishing.refused.map(Self.publishes),
                unknown: publishing.unknown.map(Self.publishes)),
        ]
        if !queues.isEmpty {
            deeds.append(
                Deed(
                    name: "consume", refused: consuming.refused.map(Self.consumes),
                    unknown: consuming.unknown.map(Self.consumes)))
        }
        return trouble + Self.verdict(deeds, user: broker.user)
    }

    private func declares(_ exchanges: [Exchange], _ queues: [Queue]) -> [String] {
        Self.declares(exchanges.map { .exchange($0.name) } + queues.map { .queue($0.name) }, of: topology)
    }

    // MARK: Publishing

    /// Over a connection of its own: a broker that is low on memory or disk reads nothing more from one that has
    /// published.
    private func publishing() async -> (Answers<String>, [Finding]) {
        var exchanges = target.services.compactMap(\.publishedTo).map(\.rawValue)
        if target.services.contains(where: { !$0.queues.isEmpty }) { exchanges.append("") }
        var access = broker
        access.replyTimeout = min(broker.replyTimeout, Self.patience)
        access.connectAttempts = 1
        do {
            let (answers, blocked) = try await withConnection(to: access, logger: BrokerChecks.silent) { connection in
                let answers = try await Answers(to: exchanges) { try await connection.mayPublish(to: $0) }
                // Said before the answer to the message that it was said for.
                return (answers, answers.blocked ?? connection.status.blocked)
            }
            if let blocked { return (answers, [Self.held("the broker takes no messages for now: \(blocked)")]) }
            if answers.unknown.isEmpty { return (answers, []) }
            return (answers, [Self.held("the broker did not answer to a message within \(access.replyTimeout)")])
        } catch {
            return (Answers(unknown: exchanges), [.warning(Self.publishingSubject, ErrorText.of(error))])
        }
    }

    private static func held(_ words: String) -> Finding {
        .warning(
            publishingSubject, words,
            remedy: "free memory or disk on the broker's machine, or raise its limit, as 'rabbitmqctl status' shows. "
                + "What the services publish waits until then")
    }

    // MARK: Words

    /// One kind of thing to do, with what of it is refused and what could not be asked.
    struct Deed {
        let name: String
        let refused: [String]
        let unknown: [String]
    }

    static func verdict(_ deeds: [Deed], user: String) -> [Finding] {
        let refused = deeds.flatMap(\.refused)
        let unknown = deeds.flatMap(\.unknown)
        let granted = deeds.filter { $0.refused.isEmpty && $0.unknown.isEmpty }.map(\.name)
        var findings: [Finding] = []
        if !refused.isEmpty {
            findings.append(
                .bad(
                    subject, "'\(user)' may not \(refused.joined(separator: ", nor "))",
                    remedy: "'rabbitmqctl set_permissions' gives configure, write and read"
                        + (deeds.contains { $0.name == "bind" && !$0.refused.isEmpty }
                            ? "; to bind takes write on the queue and read on the exchange" : ""),
                    status: ExitStatus.configuration))
        } else if !granted.isEmpty {
            let all = granted.dropLast().joined(separator: ", ")
            findings.append(
                .good(subject, "'\(user)' may \(all.isEmpty ? "" : "\(all) and ")\(granted[granted.count - 1])"))
        }
        if !unknown.isEmpty {
            findings.append(
                .skipped(subject, "not looked at: whether '\(user)' may \(unknown.joined(separator: ", or "))"))
        }
        return findings
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
            .map { names, all, kind in "declare \(names.count) of \(all) \(kind) (\(few(names)))" }
    }

    static func binds(_ bindings: [(queue: String, exchange: String)], of all: Int) -> [String] {
        guard !bindings.isEmpty else { return [] }
        let pairs = bindings.map { "\($0.queue) to \($0.exchange)" }
        return ["bind \(bindings.count) of \(all) queues (\(few(pairs)))"]
    }

    private static func publishes(_ exchange: String) -> String {
        exchange.isEmpty
            ? "publish dead letters (the default exchange, 'amq.default')" : "publish to the exchange '\(exchange)'"
    }

    private static func consumes(_ queue: String) -> String { "consume from the queue '\(queue)'" }

    private static func few(_ names: [String]) -> String {
        names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
    }
}

/// The broker's answers to the same question about several things.
private struct Answers<Thing: Sendable>: Sendable {
    private(set) var refused: [Thing] = []
    private(set) var unknown: [Thing] = []
    /// Why the broker takes no messages for now.
    private(set) var blocked: String?

    init(unknown: [Thing]) { self.unknown = unknown }

    /// Asks about each in turn, and no further once an answer stays out: each would have to be waited for.
    init(to things: [Thing], asking question: (Thing) async throws -> Permission) async throws {
        for (place, thing) in things.enumerated() {
            switch try await question(thing) {
            case .granted: break
            case .refused: refused.append(thing)
            case .blocked(let reason):
                blocked = reason
                unknown = Array(things[place...])
                return
            case .unanswered:
                unknown = Array(things[place...])
                return
            }
        }
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
