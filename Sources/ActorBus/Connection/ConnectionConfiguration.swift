/// Where the brokers are, who logs in, and what waits how long.
public struct ConnectionConfiguration: Sendable {
    /// One address of a broker.
    public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
        public var host: String
        public var port: UInt16

        public init(host: String, port: UInt16 = 5672) {
            self.host = host
            self.port = port
        }

        public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// The brokers of one cluster, tried in order; each recovery begins with another.
    public var endpoints: [Endpoint]
    public var user: String
    /// Never printed or logged.
    public var password: String
    public var virtualHost: String
    /// What is asked for; the lower of the two sides' values holds, and a peer that is silent for twice as long is
    /// taken for dead. Zero turns heartbeats off, and with them the detection of a frozen peer.
    public var heartbeat: Duration = .seconds(30)
    /// How long TCP connect and login may take, per address.
    public var connectTimeout: Duration = .seconds(10)
    /// How long the broker may take to answer a method, before the connection counts as lost.
    public var replyTimeout: Duration = .seconds(30)
    /// How long the broker may hold the connection blocked (memory or disk alarm) before the connection is replaced.
    public var blockedTimeout: Duration = .seconds(300)
    /// How often the first connection is tried, each time at every address, before `connect` throws.
    public var connectAttempts: Int = 10
    /// The pause between those attempts.
    public var connectDelay: Duration = .seconds(5)
    /// The shortest and the longest pause between the attempts of a recovery; between them it doubles, with full
    /// jitter.
    public var recoveryDelay: ClosedRange<Duration> = .milliseconds(200)...(.seconds(15))
    /// The largest delivered body that is held in memory, in bytes. A larger one is spooled, where ``spool`` says so; else
    /// its bytes are dropped as they arrive, and the delivery says so (``Delivery/bodyFault``). RabbitMQ's own limit is
    /// 128 MiB by default, and 16 MiB from 4.0 on.
    public var maximumBodySize: Int = 128 << 20
    /// What becomes of bodies that are too large to be held in memory; nil to hold all up to ``maximumBodySize`` there.
    public var spool: BodySpool?
    /// Shown by the broker's management page and logs as the connection's name.
    public var name: String = "actorbus"

    public init(
        endpoints: [Endpoint] = [Endpoint(host: "localhost")], user: String = "guest", password: String = "guest",
        virtualHost: String = "/"
    ) {
        self.endpoints = endpoints
        self.user = user
        self.password = password
        self.virtualHost = virtualHost
    }
}

extension ConnectionConfiguration: CustomStringConvertible, CustomReflectable {
    /// Nothing but the description, so that `dump` shows no password either.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }

    /// The configuration as a URL, without the password.
    public var description: String {
        let hosts = endpoints.map(\.description).joined(separator: ",")
        return "amqp://\(user)@\(hosts)/\(virtualHost == "/" ? "" : virtualHost)"
    }
}
