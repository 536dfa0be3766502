/// How a client shows who it is (RabbitMQ, "Authentication Mechanisms").
public enum LoginMechanism: String, Sendable {
    /// User and password (SASL PLAIN, RFC 4616).
    case plain = "PLAIN"
    /// User and password in a table, as RabbitMQ's early clients sent them.
    case amqplain = "AMQPLAIN"
    /// Neither of the two: the broker takes the user from the client's certificate (its plugin
    /// `rabbitmq_auth_mechanism_ssl`).
    case external = "EXTERNAL"

    /// Reads a broker's name for it, in upper or lower case.
    public init?(name: String) { self.init(rawValue: name.uppercased()) }
}
