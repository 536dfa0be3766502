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

    /// What becomes of a connection whose topology the broker does not take any more, after it was open once.
    public enum RefusedTopology: Sendable {
        /// The exchange or queue is left out, which ``AMQPConnection/events`` tell, and asked for again for as long as it takes;
        /// everything else goes on.
        case skip
        /// The connection is closed for good, with the broker's refusal as the error.
        case endConnection
    }

    /// The brokers of one cluster. Each attempt asks all of them, at every address that their names have, until one lets us
    /// work; it begins with the one that worked last, or behind it when that connection did not last.
    public var endpoints: [Endpoint]
    public var user: String
    /// Never printed or logged.
    public var password: String
    /// Asked before each attempt to connect for the password of that attempt, so that one that was changed is found without
    /// a new start; nil for ``password`` as it stands. Where it throws, a warning says why and the last password is used.
    /// One that gives no answer within ``connectTimeout`` is cancelled, and the attempt fails as if no broker could be
    /// reached.
    public var passwordSource: (@Sendable () async throws -> String)?
    public var virtualHost: String
    /// How user and password are shown to the broker.
    public var loginMechanism = LoginMechanism.plain
    /// How the connection is encrypted; nil for not at all.
    public var tls: TLSConfiguration?
    /// What is asked for; the lower of the two sides' values holds, and a peer that is silent for twice as long is
    /// taken for dead. Zero turns heartbeats off, and with them the detection of a frozen peer.
    public var heartbeat: Duration = .seconds(30)
    /// How long TCP connect and login may take, per address.
    public var connectTimeout: Duration = .seconds(10)
    /// How long the broker may take to answer a method. What it does not answer in time is given up, and its channel with
    /// it; where no channel can be had in that time the connection counts as lost.
    public var replyTimeout: Duration = .seconds(30)
    /// How long a single exchange, queue or consumer may hold up the rest of a recovery. What has no answer by then is asked
    /// for again in the background.
    public var recoveryPatience: Duration = .seconds(5)
    /// How long after the first connection the broker must refuse the same thing, asked again and again, until that is
    /// final: a topology that differs ("inequivalent arg"), a right that is missing, or, for a consumer, a queue that does not
    /// exist and that the connection's topology does not declare.
    public var refusalPatience: Duration = .seconds(60)
    /// What an exchange or a queue of the topology that is refused for so long means for the connection. A consumer that is
    /// refused for so long ends alone, with the error.
    public var refusedTopology: RefusedTopology = .skip
    /// How long the broker may hold the connection blocked (memory or disk alarm) before the connection is replaced.
    public var blockedTimeout: Duration = .seconds(300)
    /// How often the first connection is tried, each time at every address, before `connect` throws.
    public var connectAttempts: Int = 10
    /// The pause between those attempts.
    public var connectDelay: Duration = .seconds(5)
    /// The shortest and the longest pause between the attempts of a recovery; between them it doubles, with full
    /// jitter. Pauses begin anew only when a connection has lasted twice the longest.
    public var recoveryDelay: ClosedRange<Duration> = .milliseconds(200)...(.seconds(15))
    /// The largest delivered body that is held in memory, in bytes. A larger one is spooled, where ``spool`` says so; else
    /// its bytes are dropped as they arrive, and the delivery says so (``Delivery/bodyFault``). RabbitMQ's own limit is
    /// 128 MiB by default, and 16 MiB from 4.0 on.
    public var maximumBodySize: Int = 128 << 20
    /// What becomes of bodies that are too large to be held in memory; nil to hold all up to ``maximumBodySize`` there.
    public var spool: BodySpool?
    /// How many channels are asked for; the lower of the two sides' values holds.
    public var channelMax: UInt16 = 2047
    /// How large a frame may be, in bytes, 4096 or more; the lower of the two sides' values holds, and never more than
    /// 131,072.
    public var frameMax: UInt32 = 131_072
    /// Shown by the broker's management page and logs as the connection's name.
    public var name: String = "actorbus"
    /// Where the connection has its time, network and threads from: the machine, or a simulation of it.
    public var world: World = .real

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
        return "\(tls == nil ? "amqp" : "amqps")://\(user)@\(hosts)/\(virtualHost == "/" ? "" : virtualHost)"
    }
}

extension RecoveryPolicy {
    init(_ configuration: ConnectionConfiguration) {
        firstAttempts = configuration.connectAttempts
        firstPause = configuration.connectDelay
        pauses = configuration.recoveryDelay
        refusalPatience = configuration.refusalPatience
        refusalsEndTheConnection = configuration.refusedTopology == .endConnection
    }
}
