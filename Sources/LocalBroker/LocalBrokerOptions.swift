/// What kind of broker to start.
public struct LocalBrokerOptions: Sendable {
    /// The folder that holds the broker's data, made if missing; it is kept, and a later broker on the same folder
    /// finds its durable queues and messages again. Without one the data lives in a temporary folder that is removed at
    /// the end.
    public var dataDirectory: String?
    /// How many nodes: 1, or a cluster of 3. A data folder stays with the number it began with.
    public var nodes: Int
    /// Plugins to enable, by name, such as `rabbitmq_prometheus`. Their listeners have ports of their own, to be set
    /// through ``configuration``.
    public var plugins: [String]
    /// Further lines of `rabbitmq.conf`, such as `"heartbeat": "5"`.
    public var configuration: [String: String]
    /// How long the whole start may take.
    public var startTimeout: Duration
    /// Where the server is, instead of the usual places: a folder that holds `sbin/rabbitmq-server`, or, on Linux, one
    /// that holds another system's `/usr` and `/etc` with its server and Erlang, as `scripts/broker-root` makes.
    /// Nil for the one that the environment variable `LOCAL_BROKER_INSTALLATION` names, else the newest installed.
    public var installation: String?

    /// Options for one node with temporary data, unless said otherwise.
    public init(
        dataDirectory: String? = nil,
        nodes: Int = 1,
        plugins: [String] = [],
        configuration: [String: String] = [:],
        startTimeout: Duration = .seconds(120),
        installation: String? = nil
    ) {
        self.dataDirectory = dataDirectory
        self.nodes = nodes
        self.plugins = plugins
        self.configuration = configuration
        self.startTimeout = startTimeout
        self.installation = installation
    }

    /// Refuses what would otherwise end up, silently altered, in a configuration file.
    func validate() throws(LocalBrokerError) {
        guard nodes == 1 || nodes == 3 else {
            throw LocalBrokerError(.invalidOption, "a local broker has 1 or 3 nodes, not \(nodes)")
        }
        for plugin in plugins where plugin.isEmpty || !plugin.utf8.allSatisfy(Self.isNameByte) {
            throw LocalBrokerError(.invalidOption, "\"\(plugin)\" is not the name of a plugin")
        }
        for (key, value) in configuration where (key + value).contains(where: \.isNewline) || key.contains("=") {
            throw LocalBrokerError(.invalidOption, "\"\(key) = \(value)\" is not one line of rabbitmq.conf")
        }
    }

    /// Refuses a folder whose path, made absolute, does not get through Erlang and RabbitMQ unharmed.
    static func validate(dataDirectory path: String) throws(LocalBrokerError) {
        // The colon separates entries of ERL_LIBS; RabbitMQ's disk monitor puts the path between single quotes for a
        // shell.
        let impossible: Set<Character> = [":", "'", "\\"]
        guard !path.isEmpty, !path.contains(where: { impossible.contains($0) || $0.isNewline }) else {
            throw LocalBrokerError(
                .invalidOption, "RabbitMQ cannot keep its data in the folder \"\(path)\"",
                remedy: "choose a path without colons, quotes, backslashes and line breaks")
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
