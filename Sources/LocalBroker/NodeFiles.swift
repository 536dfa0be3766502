/// What one node is called, and where it listens.
struct NodePlan: Sendable {
    /// Counts from 1. Names stay the same from start to start, since Erlang's database knows its nodes by name; ports
    /// may change.
    let number: Int
    let amqpPort: UInt16
    let distributionPort: UInt16

    var erlangName: String { Self.erlangName(number) }
    var processName: String { "node-\(number)" }

    static func erlangName(_ number: Int) -> String { "bus\(number)@localhost" }
}

/// Writes the files that nodes are started from.
struct NodeFiles: Sendable {
    let folder: DataFolder
    let installation: Installation
    let options: LocalBrokerOptions
    let epmdPort: UInt16
    /// See ``Guard/mark``.
    let mark: (name: String, value: String)

    static let epmdName = "epmd"

    func log(of node: NodePlan) -> String { "\(folder.path)/\(node.processName)/log" }

    /// The variables that a node and the command-line tools agree on.
    func commonVariables(_ node: NodePlan) -> [(String, String)] {
        [
            mark,
            ("HOME", folder.path),
            ("RABBITMQ_NODENAME", node.erlangName),
            ("RABBITMQ_DIST_PORT", "\(node.distributionPort)"),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null"),
            ("RABBITMQ_MNESIA_BASE", "\(folder.path)/\(node.processName)/mnesia"),
            ("RABBITMQ_LOG_BASE", "\(folder.path)/\(node.processName)"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "\(folder.path)/\(node.processName)/enabled_plugins"),
            ("ERL_EPMD_PORT", "\(epmdPort)"),
            ("ERL_EPMD_ADDRESS", "127.0.0.1"),
        ]
    }

    /// Lays out a tree of links that has the server's scripts and only the plugins needed.
    func linkServer() throws(LocalBrokerError) {
        let server = folder.path + "/server"
        for name in Posix.names(in: server + "/plugins") { Posix.removeFile("\(server)/plugins/\(name)") }
        for name in ["sbin", "escript"] where installation.has(name) {
            Posix.removeFile("\(server)/\(name)")
            try Posix.link("\(server)/\(name)", to: "\(installation.tree)/\(name)")
        }
        for name in try installation.neededPlugins(options.plugins) {
            try Posix.link("\(server)/plugins/\(name)", to: "\(installation.tree)/plugins/\(name)")
        }
    }

    func writeEpmdLauncher() throws(LocalBrokerError) {
        try writeLauncher(
            Self.epmdName, log: "/dev/null", variables: [mark],
            command: ["epmd", "-address", "127.0.0.1", "-port", "\(epmdPort)"])
    }

    /// - Parameter seed: the node whose cluster a new node joins when it boots for the first time.
    func write(_ node: NodePlan, seed: NodePlan?) throws(LocalBrokerError) {
        let own = "\(folder.path)/\(node.processName)"
        try Posix.makeDirectory(own)
        try Posix.write("[\(options.plugins.joined(separator: ","))].\n", to: own + "/enabled_plugins")

        var lines = options.configuration.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
        if let seed {
            lines.append("cluster_formation.peer_discovery_backend = classic_config")
            lines.append("cluster_formation.classic_config.nodes.1 = \(seed.erlangName)")
            lines.append("cluster_formation.classic_config.nodes.2 = \(node.erlangName)")
        }
        // Without this file a node starts half a second sooner.
        let configuration = own + "/rabbitmq.conf"
        Posix.removeFile(configuration)
        if !lines.isEmpty { try Posix.write(lines.joined(separator: "\n") + "\n", to: configuration) }

        // Each start of a broker begins a new log, or a kept folder would grow without end.
        Posix.removeFile(log(of: node))
        let variables =
            commonVariables(node) + [
                // Relative, since the server's script does not quote it. It is the tree of linkServer().
                ("RABBITMQ_SCRIPTS_DIR", "server/sbin"),
                ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"),
                ("RABBITMQ_NODE_PORT", "\(node.amqpPort)"),
                ("RABBITMQ_LOGS", "-"),
                ("RABBITMQ_CONFIG_FILE", configuration),
                ("RABBITMQ_ADVANCED_CONFIG_FILE", own + "/advanced.config"),
                ("RABBITMQ_GENERATED_CONFIG_DIR", own + "/generated"),
                ("RABBITMQ_FEATURE_FLAGS_FILE", own + "/feature_flags"),
                ("RABBITMQ_PID_FILE", own + "/pid"),
                // Has the script become the Erlang machine, whose process id is then the one we know, so that signals
                // reach it.
                ("RABBITMQ_ALLOW_INPUT", "1"),
                (
                    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                    // Two schedulers save memory where there are many cores. The distribution port would else listen
                    // everywhere.
                    "-noinput +B i +S 2:2 +SDio 2 -kernel inet_dist_use_interface {127,0,0,1}"
                ),
            ]
        try writeLauncher(
            node.processName, log: log(of: node), variables: variables, command: ["sh", "server/sbin/rabbitmq-server"])
    }

    // MARK: -

    /// A launch script says who it is and becomes its command.
    private func writeLauncher(
        _ name: String, log: String, variables: [(String, String)], command: [String]
    ) throws(LocalBrokerError) {
        let words = installation.running(command).map(Self.quoted).joined(separator: " ")
        let exports = variables.map { "export \($0.0)=\(Self.quoted($0.1))" }
        let lines =
            exports + [
                "echo $$ >run/\(name)",
                "echo \"started \(name) $$\"",
                "exec \(words) </dev/null >>\(Self.quoted(log)) 2>&1",
            ]
        try Posix.write(lines.joined(separator: "\n") + "\n", to: "\(folder.path)/launch-\(name)")
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
