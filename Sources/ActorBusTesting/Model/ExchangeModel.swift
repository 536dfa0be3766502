internal import ActorBus

/// An exchange and how it routes.
struct ExchangeModel {
    enum Kind: String { case direct, fanout, topic, headers }

    var name: String
    var kind: Kind
    var durable: Bool
    var autoDelete: Bool
    var `internal`: Bool
    var arguments: FieldTable
    var alternate: String? { arguments["alternate-exchange"]?.text }

    /// Those that every virtual host has.
    static let standard: [ExchangeModel] = [
        ("", .direct), ("amq.direct", .direct), ("amq.fanout", .fanout), ("amq.topic", .topic),
        ("amq.headers", .headers), ("amq.match", .headers), ("amq.rabbitmq.trace", .topic),
    ].map { name, kind in
        ExchangeModel(
            name: name, kind: kind, durable: true, autoDelete: false, internal: name == "amq.rabbitmq.trace",
            arguments: [:])
    }

    func matches(_ binding: BindingModel, _ message: BrokerMessage) -> Bool {
        switch kind {
        case .fanout: true
        case .direct: message.routingKeys.contains(binding.routingKey)
        case .topic: message.routingKeys.contains { Self.topic(binding.routingKey, matches: $0) }
        case .headers: Self.headers(binding.arguments, match: message.properties.headers)
        }
    }

    /// Whether a pattern of words, `*` for one and `#` for any number of them, matches a routing key.
    static func topic(_ pattern: String, matches routingKey: String) -> Bool {
        func words(_ text: String) -> [Substring] {
            text.isEmpty ? [] : text.split(separator: ".", omittingEmptySubsequences: false)
        }
        let key = words(routingKey)
        // The positions in the key that the pattern so far can end at.
        var reached: Set<Int> = [0]
        for word in words(pattern) {
            if word == "#" {
                guard let first = reached.min() else { return false }
                reached = Set(first...key.count)
            } else {
                reached = Set(reached.filter { $0 < key.count && (word == "*" || key[$0] == word) }.map { $0 + 1 })
            }
        }
        return reached.contains(key.count)
    }

    static func headers(_ wanted: FieldTable, match headers: FieldTable) -> Bool {
        let mode = wanted["x-match"]?.text ?? "all"
        let seesReserved = mode == "all-with-x" || mode == "any-with-x"
        let conditions = wanted.filter { $0.key != "x-match" && (seesReserved || !$0.key.hasPrefix("x-")) }
        func holds(_ name: String, _ value: FieldValue) -> Bool {
            guard let found = headers[name] else { return false }
            if value == .void || value == found { return true }
            // Numbers are compared by value, whatever their types.
            if let left = ErlangTerm.integer(value), let right = ErlangTerm.integer(found) { return left == right }
            return false
        }
        return mode == "any" || mode == "any-with-x"
            ? conditions.contains { holds($0.key, $0.value) } : conditions.allSatisfy { holds($0.key, $0.value) }
    }
}

/// A binding from an exchange to a queue or to another exchange.
struct BindingModel: Equatable {
    enum Destination: Hashable {
        case queue(String)
        case exchange(String)
    }

    var source: String
    var destination: Destination
    var routingKey: String
    var arguments: FieldTable
}
