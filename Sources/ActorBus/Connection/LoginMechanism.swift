/// How a client shows who it is (RabbitMQ, "Authentication Mechanisms").
public enum LoginMechanism: Sendable, Equatable, CaseIterable {
    /// User and password (SASL PLAIN, RFC 4616).
    case plain
    /// User and password in a table, as RabbitMQ's own clients of old do.
    case amqplain
    /// Neither of the two: the broker takes the user from the client's certificate (its plugin
    /// `rabbitmq_auth_mechanism_ssl`).
    case external

    /// As a broker names it.
    var name: String {
        switch self {
        case .plain: "PLAIN"
        case .amqplain: "AMQPLAIN"
        case .external: "EXTERNAL"
        }
    }

    /// Reads a broker's name for it, in any case.
    public init?(name: String) {
        guard let mechanism = Self.allCases.first(where: { $0.name == name.uppercased() }) else { return nil }
        self = mechanism
    }
}
