import ActorBus
import Pipeline

/// A queue as RabbitMQ's management API shows it: with the policies that hold for it, which AMQP does not tell.
struct ManagedQueue: Sendable, Equatable {
    var name: String
    /// `classic`, `quorum` or another.
    var type: String?
    /// The argument `x-delivery-limit`, and what policies say of it.
    var limitArgument: Int64?
    var limitPolicy: Int64?
    /// The policies' names.
    var policies: [String] = []
    /// Whether argument or policy names an exchange for what is dropped otherwise.
    var deadLetters = false

    /// Reads the answer of `GET /api/queues/VHOST/NAME`; nil where it is none.
    init?(name: String, json bytes: [UInt8]) {
        guard let json = try? JSONReader.read(bytes), case .object = json else { return nil }
        self.name = name
        func text(_ path: String...) -> String? {
            guard case .string(let text)? = Self.value(path, in: json) else { return nil }
            return text
        }
        func number(_ path: String...) -> Int64? {
            guard case .number(let number)? = Self.value(path, in: json) else { return nil }
            return number.wholeNumber
        }
        type = text("type")
        limitArgument = number("arguments", "x-delivery-limit")
        limitPolicy = number("effective_policy_definition", "delivery-limit")
        policies = [text("policy"), text("operator_policy")].compactMap { $0 }.filter { !$0.isEmpty }
        deadLetters =
            text("arguments", "x-dead-letter-exchange") != nil
            || text("effective_policy_definition", "dead-letter-exchange") != nil
    }

    init(name: String, type: String?, limitArgument: Int64? = nil, limitPolicy: Int64? = nil, deadLetters: Bool) {
        self.name = name
        self.type = type
        self.limitArgument = limitArgument
        self.limitPolicy = limitPolicy
        self.deadLetters = deadLetters
    }

    private static func value(_ path: [String], in json: JSON) -> JSON? {
        var json = json
        for name in path {
            guard case .object(let members) = json, let next = try? members[name] else { return nil }
            json = next
        }
        return json
    }

    /// How often the broker hands a message out before it gives up on it; nil for no limit.
    ///
    /// - Parameter version: the broker's. From 4.0 on there is one by default, and a negative one means none; before,
    ///   there is none by default, and zero or less destroys a message at its first return.
    func deliveryLimit(of version: BrokerRelease?) -> (times: Int64, cause: String)? {
        guard type == "quorum" else { return nil }
        let isNew = (version?.major ?? 4) >= 4
        let named = [
            limitArgument.map { ($0, "by its argument x-delivery-limit") },
            limitPolicy.map { ($0, "by the policy \(policies.map { "'\($0)'" }.joined(separator: " or "))") },
        ].compactMap { $0 }.min { $0.0 < $1.0 }
        guard let named else {
            return isNew ? (20, "by default from RabbitMQ 4.0 on") : nil
        }
        if isNew && named.0 < 0 { return nil }
        return (max(named.0, 0), named.1)
    }

    /// What is wrong with its delivery limit; nil when no message can be lost by it.
    func deliveryLimitFinding(of version: BrokerRelease?) -> Finding? {
        guard !deadLetters, let limit = deliveryLimit(of: version) else { return nil }
        return .warning(
            DeliveryLimits.subject,
            "\(name) destroys a message that was handed out more than \(limit.times) times, \(limit.cause), since it "
                + "dead-letters nothing",
            remedy: DeliveryLimits.remedy(for: version))
    }
}

/// The numbers of a broker's release.
struct BrokerRelease: Sendable, Equatable {
    let major: Int

    /// Reads the version out of words such as `RabbitMQ 4.0.5`; nil for another product.
    init?(_ serverName: String?) {
        guard let words = serverName?.split(separator: " "), words.first == "RabbitMQ", words.count > 1,
            let major = words[1].split(separator: ".").first.flatMap({ Int($0) })
        else { return nil }
        self.major = major
    }
}
