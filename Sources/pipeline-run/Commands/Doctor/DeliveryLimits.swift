import ActorBus
import Pipeline

/// Whether a quorum queue could drop a message that was handed out too often: by the broker's default, by a queue's own
/// argument, by a policy, or because the virtual host makes quorum queues of what was asked for as classic.
struct DeliveryLimits: Sendable {
    static let subject = "delivery limit"

    let broker: ConnectionConfiguration
    let topology: Topology
    let queueType: QueueType

    /// Where the management API is, unless somebody moved it.
    private static let managementPort: UInt16 = 15_672
    private static let askedWithin = Duration.seconds(2)

    static func remedy(for version: BrokerRelease?) -> String {
        (version?.major ?? 4) >= 4
            ? "have it dead-letter, as --queue-type quorum declares it, or `rabbitmqctl set_policy --apply-to "
                + "quorum_queues nolimit '.*' '{\"delivery-limit\":-1}'`"
            : "have it dead-letter, as --queue-type quorum declares it, or take the limit away"
    }

    /// - Parameter missing: names of queues that the broker does not hold.
    func findings(over connection: AMQPConnection, missing: Set<String>) async throws -> [Finding] {
        let version = BrokerRelease(await connection.serverName)
        let names = topology.queues.map(\.name).filter { !missing.contains($0) }
        let others = try await others(names, over: connection)
        var findings = others.isEmpty ? [] : [finding(of: others, version)]
        let managed = await managed(names)
        for queue in managed ?? [] where !others.contains(queue.name) {
            if let finding = queue.deliveryLimitFinding(of: version) { findings.append(finding) }
        }
        if managed == nil, !names.isEmpty {
            let why =
                mayAskManagement
                ? "no management API answers at port \(Self.managementPort) of the broker's host with this login"
                : "the management API is not asked, since that would send the login without TLS"
            findings.append(
                .skipped(
                    Self.subject,
                    "policies cannot be seen over AMQP, and \(why): `rabbitmqctl list_policies -p "
                        + "'\(broker.virtualHost)'` shows them"))
        }
        guard !findings.contains(where: { $0.mark == .warning }) else { return findings }
        return [.good(Self.subject, Self.words(queueType, version))] + findings
    }

    private static func words(_ type: QueueType, _ version: BrokerRelease?) -> String {
        switch type {
        case .classic: "classic queues have none"
        case .quorum where (version?.major ?? 4) >= 4:
            "20 by default from RabbitMQ 4.0 on; a message that reaches it moves to its dead-letter queue"
        case .quorum: "none by default before RabbitMQ 4.0"
        }
    }

    /// Queues that equal a classic declaration and are not classic, since the virtual host has another default type.
    private func others(_ names: [String], over connection: AMQPConnection) async throws -> [String] {
        guard queueType == .classic else { return [] }
        let plain = topology.queues.filter { names.contains($0.name) && $0.declaredArguments["x-queue-type"] == nil }
        // Said outright, a type has to be the queue's own.
        let explicit = Topology(
            queues: plain.map { queue in
                var queue = queue
                queue.arguments["x-queue-type"] = "classic"
                return queue
            })
        let plainDifferences = Set(try await connection.differences(from: Topology(queues: plain)).map(\.resource))
        return try await connection.differences(from: explicit).compactMap { difference in
            guard case .queue(let name) = difference.resource, !plainDifferences.contains(difference.resource),
                case .different(let words) = difference.finding, words.contains("'quorum'")
            else { return nil }
            return name
        }
    }

    private func finding(of others: [String], _ version: BrokerRelease?) -> Finding {
        let limit = ManagedQueue(name: "", type: "quorum", deadLetters: false).deliveryLimit(of: version)
        let danger = limit.map { ", and destroy a message that was handed out more than \($0.times) times" } ?? ""
        return .warning(
            Self.subject,
            "asked for as classic, \(others.joined(separator: ", ")) are quorum queues, the default of the virtual host "
                + "'\(broker.virtualHost)'\(danger)",
            remedy: "ask for --queue-type quorum, whose queues dead-letter, or have the virtual host's default be "
                + "classic; then delete the queues once they are empty")
    }

    /// Whether the login may be sent in clear text, as it is over AMQP.
    var mayAskManagement: Bool { broker.tls == nil && broker.loginMechanism != .external }

    /// What the management API says of the queues; nil where none of the hosts answers.
    private func managed(_ names: [String]) async -> [ManagedQueue]? {
        guard mayAskManagement else { return nil }
        for host in Set(broker.endpoints.map(\.host)).sorted() {
            var queues: [ManagedQueue] = []
            for name in names {
                guard let queue = await managed(name, at: host) else { break }
                queues.append(queue)
            }
            if queues.count == names.count { return queues }
        }
        return nil
    }

    private func managed(_ name: String, at host: String) async -> ManagedQueue? {
        let path = "/api/queues/\(PercentEncoding.text(broker.virtualHost))/\(PercentEncoding.text(name))"
        let get = HTTPGet(
            host: host, port: Self.managementPort,
            path: path + "?columns=type,arguments,effective_policy_definition,policy,operator_policy",
            login: HTTPGet.Login(user: broker.user, password: broker.password))
        guard let response = try? await get.response(within: Self.askedWithin), response.status == 200 else {
            return nil
        }
        return ManagedQueue(name: name, json: response.body)
    }
}

/// Text as one part of a URL's path (RFC 3986 section 2.1).
enum PercentEncoding {
    static func text(_ text: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
