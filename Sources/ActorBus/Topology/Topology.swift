/// The exchanges, queues and bindings that a connection needs. It declares them when it opens, and again after each
/// recovery, before any message is published or consumed.
///
/// ```swift
/// let topology = Topology {
///     Exchange("orders", .fanout)
///     Queue("invoices", .quorum()).bound(to: "orders")
/// }
/// ```
/// To declare what already exists with the same arguments changes nothing; with others the broker refuses with 406
/// (RabbitMQ, "Declaration and property equivalence"). Every queue needs a name: one that the broker chooses would be
/// another after each recovery.
public struct Topology: Sendable, Equatable {
    public var exchanges: [Exchange]
    public var queues: [Queue]

    public init(exchanges: [Exchange] = [], queues: [Queue] = []) {
        self.exchanges = exchanges
        self.queues = queues
    }

    /// Takes in what `more` has; what stands in both by name is `more`'s from then on.
    mutating func merge(_ more: Topology) {
        exchanges =
            exchanges.filter { old in !more.exchanges.contains { $0.name.hasSameBytes(as: old.name) } } + more.exchanges
        queues = queues.filter { old in !more.queues.contains { $0.name.hasSameBytes(as: old.name) } } + more.queues
    }

    public init(@TopologyBuilder _ build: () -> Topology) {
        self = build()
    }
}

/// An exchange to be declared. Names are compared byte for byte.
public struct Exchange: Sendable, Equatable {
    public enum Kind: Sendable, Hashable {
        case direct, fanout, topic, headers
        /// A type that a plugin of the broker brings.
        case other(String)

        /// The name of the type on the wire.
        package var name: String {
            switch self {
            case .direct: "direct"
            case .fanout: "fanout"
            case .topic: "topic"
            case .headers: "headers"
            case .other(let name): name
            }
        }
    }

    public var name: String
    public var kind: Kind
    public var durable: Bool
    public var autoDelete: Bool
    public var `internal`: Bool
    public var arguments: FieldTable

    public init(
        _ name: String, _ kind: Kind, durable: Bool = true, autoDelete: Bool = false, internal: Bool = false,
        arguments: FieldTable = [:]
    ) {
        self.name = name
        self.kind = kind
        self.durable = durable
        self.autoDelete = autoDelete
        self.internal = `internal`
        self.arguments = arguments
    }

    public static func == (left: Exchange, right: Exchange) -> Bool {
        left.name.hasSameBytes(as: right.name) && left.kind.name.hasSameBytes(as: right.kind.name)
            && left.durable == right.durable && left.autoDelete == right.autoDelete
            && left.internal == right.internal && left.arguments == right.arguments
    }
}

/// A queue to be declared, with its bindings. Names are compared byte for byte.
public struct Queue: Sendable, Equatable {
    public enum Kind: Sendable, Hashable {
        /// Declared with no `x-queue-type`, so equal to what any client declares by default.
        case classic
        /// Replicated by Raft (RabbitMQ, "Quorum Queues"). Mind that `deliveryLimit` counts the deaths of consumers
        /// too.
        case quorum(deliveryLimit: Int32? = nil)
    }

    /// A binding of the queue to an exchange.
    public struct Binding: Sendable, Equatable {
        public var exchange: String
        public var routingKey: String
        public var arguments: FieldTable

        public static func == (left: Binding, right: Binding) -> Bool {
            left.exchange.hasSameBytes(as: right.exchange) && left.routingKey.hasSameBytes(as: right.routingKey)
                && left.arguments == right.arguments
        }
    }

    public var name: String
    public var kind: Kind
    public var durable: Bool
    public var exclusive: Bool
    public var autoDelete: Bool
    /// Further arguments (`x-…`), beside those that `kind` sets.
    public var arguments: FieldTable
    public var bindings: [Binding]

    public init(
        _ name: String, _ kind: Kind = .classic, durable: Bool = true, exclusive: Bool = false,
        autoDelete: Bool = false,
        arguments: FieldTable = [:]
    ) {
        self.name = name
        self.kind = kind
        self.durable = durable
        self.exclusive = exclusive
        self.autoDelete = autoDelete
        self.arguments = arguments
        bindings = []
    }

    public static func == (left: Queue, right: Queue) -> Bool {
        left.name.hasSameBytes(as: right.name) && left.kind == right.kind && left.durable == right.durable
            && left.exclusive == right.exclusive && left.autoDelete == right.autoDelete
            && left.arguments == right.arguments && left.bindings == right.bindings
    }

    /// The queue with one binding more.
    public func bound(to exchange: String, routingKey: String = "", arguments: FieldTable = [:]) -> Queue {
        var queue = self
        queue.bindings.append(Binding(exchange: exchange, routingKey: routingKey, arguments: arguments))
        return queue
    }

    /// All arguments as they go over the wire.
    package var declaredArguments: FieldTable {
        var all = arguments
        if case .quorum(let deliveryLimit) = kind {
            all["x-queue-type"] = "quorum"
            if let deliveryLimit { all["x-delivery-limit"] = .int32(deliveryLimit) }
        }
        return all
    }
}

/// Makes a ``Topology`` of the exchanges and queues listed in a closure.
@resultBuilder
public enum TopologyBuilder {
    public static func buildExpression(_ exchange: Exchange) -> Topology { Topology(exchanges: [exchange]) }
    public static func buildExpression(_ queue: Queue) -> Topology { Topology(queues: [queue]) }
    public static func buildExpression(_ topology: Topology) -> Topology { topology }
    public static func buildBlock(_ parts: Topology...) -> Topology { merged(parts) }
    public static func buildArray(_ parts: [Topology]) -> Topology { merged(parts) }
    public static func buildOptional(_ part: Topology?) -> Topology { part ?? Topology() }
    public static func buildEither(first part: Topology) -> Topology { part }
    public static func buildEither(second part: Topology) -> Topology { part }

    private static func merged(_ parts: [Topology]) -> Topology {
        Topology(exchanges: parts.flatMap { $0.exchanges }, queues: parts.flatMap { $0.queues })
    }
}
