internal import ActorBus

/// The arguments with which a queue was declared, checked as RabbitMQ checks them.
struct QueueArguments {
    enum Kind: String { case classic, quorum }

    enum Overflow: String {
        case dropHead = "drop-head"
        case rejectPublish = "reject-publish"
        case rejectPublishDLX = "reject-publish-dlx"
    }

    var kind = Kind.classic
    var expires: Int64?
    var messageTTL: Int64?
    var deadLetterExchange: String?
    var deadLetterRoutingKey: String?
    var maxLength: Int64?
    var maxLengthBytes: Int64?
    var overflow = Overflow.dropHead
    var singleActiveConsumer = false
    var deliveryLimit: Int64?
    /// The highest priority of a classic queue that has priorities.
    var maxPriority: Int64?
    /// How long a delivery may wait for its settlement, where the queue says so (quorum queues of RabbitMQ 4.3).
    var consumerTimeout: Int64?
    /// Whether a dead letter leaves the queue only once all queues that it goes to have confirmed it.
    var keepsLettersUntilConfirmed = false

    /// The names that a type of queue knows, in the order in which RabbitMQ compares them.
    static func known(to kind: Kind, in version: RabbitMQVersion) -> [String] {
        switch kind {
        case .classic:
            [
                "x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
                "x-max-length-bytes", "x-max-priority", "x-overflow", "x-queue-mode", "x-queue-version",
                "x-single-active-consumer", "x-queue-type", "x-queue-master-locator",
            ] + (version == .threeTen ? [] : ["x-queue-leader-locator"])
        case .quorum:
            [
                "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy", "x-expires",
                "x-max-length", "x-max-length-bytes", "x-max-in-memory-length", "x-max-in-memory-bytes", "x-overflow",
                "x-single-active-consumer", "x-queue-type", "x-quorum-initial-group-size", "x-delivery-limit",
                "x-message-ttl", "x-queue-leader-locator",
            ] + (version.queuesHaveConsumerTimeouts ? ofQuorumQueuesSince43 : [])
        }
    }

    /// Checks `table` for the queue that `resource` describes ("queue 'q' in vhost '/'").
    init(_ table: FieldTable, of resource: String, version: RabbitMQVersion) throws(ReplyError) {
        func invalid(_ name: String, _ reason: String) -> ReplyError {
            .preconditionFailed("invalid arg '\(name)' for \(resource): \(reason)")
        }
        func integer(_ name: String, _ check: (Int64) -> String?) throws(ReplyError) -> Int64? {
            guard let value = table[name] else { return nil }
            guard let integer = ErlangTerm.integer(value) else {
                throw invalid(name, "\"expected integer, got \(ErlangTerm.typeName(value))\"")
            }
            if let fault = check(integer) { throw invalid(name, fault) }
            return integer
        }
        func text(_ name: String) throws(ReplyError) -> String? {
            guard let value = table[name] else { return nil }
            guard case .string(let text) = value else {
                throw invalid(name, "{unacceptable_type,\(ErlangTerm.typeName(value))}")
            }
            return text
        }
        func notNegative(_ value: Int64) -> String? { value < 0 ? "{value_negative,\(value)}" : nil }
        func milliseconds(_ value: Int64) -> String? {
            value < 0 ? "{value_negative,\(value)}" : value > 315_360_000_000 ? "{value_too_large,\(value)}" : nil
        }

        if let type = try text("x-queue-type") {
            switch type {
            case "stream": throw .notSimulated("a stream")
            case "classic", "quorum": kind = Kind(rawValue: type) ?? .classic
            default: throw invalid("x-queue-type", "\"unsupported queue type '\(type)'\"")
            }
        }
        let known = Set(Self.known(to: kind, in: version))
        func isKnown(_ name: String) -> Bool { known.contains(name) }
        if isKnown("x-expires") { expires = try integer("x-expires") { $0 == 0 ? "{value_zero,0}" : milliseconds($0) } }
        if isKnown("x-message-ttl") { messageTTL = try integer("x-message-ttl", milliseconds) }
        deadLetterExchange = try text("x-dead-letter-exchange")
        if let key = try text("x-dead-letter-routing-key") {
            guard deadLetterExchange != nil else {
                throw invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")
            }
            deadLetterRoutingKey = key
        }
        if isKnown("x-dead-letter-strategy"), let strategy = try text("x-dead-letter-strategy") {
            switch strategy {
            case "at-most-once": break
            case "at-least-once": keepsLettersUntilConfirmed = true
            default: throw invalid("x-dead-letter-strategy", "invalid_dlx_strategy")
            }
        }
        maxLength = try integer("x-max-length", notNegative)
        maxLengthBytes = try integer("x-max-length-bytes", notNegative)
        if let name = try text("x-overflow") {
            guard let overflow = Overflow(rawValue: name) else { throw invalid("x-overflow", "invalid_overflow") }
            self.overflow = overflow
        }
        if let value = table["x-single-active-consumer"] {
            guard case .bool(let single) = value else {
                throw invalid("x-single-active-consumer", "{unacceptable_type,\(ErlangTerm.typeName(value))}")
            }
            singleActiveConsumer = single
        }
        if isKnown("x-max-priority") {
            maxPriority = try integer("x-max-priority") {
                notNegative($0) ?? ($0 > 255 ? "{max_value_exceeded,\($0)}" : nil)
            }.map { max($0, version.leastMaxPriority) }
        }
        if isKnown("x-queue-version") {
            _ = try integer("x-queue-version") {
                notNegative($0) ?? (1...2 ~= $0 ? nil : "\"unsupported queue version '\($0)'\"")
            }
        }
        if version.queuesHaveConsumerTimeouts {
            consumerTimeout = try integer("x-consumer-timeout", notNegative)
        }
        if isKnown("x-delivery-limit") { deliveryLimit = table["x-delivery-limit"].flatMap(ErlangTerm.integer) }
        let all = Self.known(to: .classic, in: version) + Self.known(to: .quorum, in: version) + Self.ofStreams
        let ofOthers = Set(all).subtracting(known)
        for (name, _) in table where ofOthers.contains(name) {
            throw .preconditionFailed("invalid arg '\(name)' for \(resource) of queue type rabbit_\(kind)_queue")
        }
        for name in Self.notSimulated where table[name] != nil { throw .notSimulated("the argument \(name)") }
        guard kind == .quorum else { return }
        // What a quorum queue does not know it takes for the default.
        if overflow == .rejectPublishDLX { overflow = .dropHead }
        if overflow == .dropHead || deadLetterExchange == nil { keepsLettersUntilConfirmed = false }
        if maxLengthBytes != nil, version.quorumQueuesCountPropertyBytes {
            throw .notSimulated("x-max-length-bytes on a quorum queue of RabbitMQ \(version.rawValue)")
        }
    }

    private static let notSimulated = ["x-consumer-disconnected-timeout", "x-delayed-retry-type"]

    private static let ofQuorumQueuesSince43 = [
        "x-consumer-disconnected-timeout", "x-consumer-timeout", "x-delayed-retry-type", "x-delayed-retry-min",
        "x-delayed-retry-max",
    ]

    private static let ofStreams = [
        "x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size", "x-stream-filter-size-bytes",
    ]
}

/// Whether an entity that exists may be declared again (RabbitMQ, "Declaration and property equivalence").
enum Equivalence {
    static func check(_ name: String, of resource: String, is current: Bool, asked: Bool) throws(ReplyError) {
        if current != asked { throw fault(name, resource, received: "'\(asked)'", current: "'\(current)'") }
    }

    static func check(_ name: String, of resource: String, is current: String, asked: String) throws(ReplyError) {
        if current != asked { throw fault(name, resource, received: "'\(asked)'", current: "'\(current)'") }
    }

    static func check(
        arguments names: [String], of resource: String, is current: FieldTable, asked: FieldTable
    ) throws(ReplyError) {
        for name in names {
            switch (current[name], asked[name]) {
            case (nil, nil): break
            case (let old?, let new?):
                // What differs is compared and told without its type.
                if let left = ErlangTerm.integer(old), let right = ErlangTerm.integer(new), left == right { break }
                if old == new { break }
                throw fault(
                    name, resource, received: "'\(ErlangTerm.value(new))'", current: "'\(ErlangTerm.value(old))'")
            case (nil, .string("classic")?) where name == "x-queue-type": break
            case (.string("classic")?, nil) where name == "x-queue-type": break
            case (let old, let new):
                throw fault(name, resource, received: described(new), current: described(old))
            }
        }
    }

    private static func described(_ value: FieldValue?) -> String {
        guard let value else { return "none" }
        return "the value '\(ErlangTerm.value(value))' of type '\(ErlangTerm.typeName(value))'"
    }

    private static func fault(_ name: String, _ resource: String, received: String, current: String) -> ReplyError {
        .preconditionFailed(
            "inequivalent arg '\(name)' for \(resource): received \(received) but current is \(current)")
    }
}
