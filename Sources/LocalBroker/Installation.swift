/// A RabbitMQ server that nodes can be started from: one installed on this machine, or one of a ``SystemRoot``.
struct Installation: Sendable {
    /// The server's own tree, as its processes see it: `sbin`, `plugins`, and beside them what its version ships.
    let tree: String
    /// The folders that hold `erl` and `epmd`, then the caller's PATH.
    let searchPath: String
    /// The version in the name of the server's own plugin.
    let version: BrokerVersion
    /// The system that the server is part of, when that is not this machine's.
    private let system: SystemRoot?

    /// The tree as this process sees it.
    private var visibleTree: String { (system?.path ?? "") + tree }

    /// Finds the server that the caller or the environment names, else the newest in its package's own tree; the wrapper
    /// in `/usr/sbin` would switch user.
    static func find(_ preferred: String?) throws(LocalBrokerError) -> Installation {
        let preferred = preferred ?? Posix.environment("LOCAL_BROKER_INSTALLATION").flatMap { $0.isEmpty ? nil : $0 }
        let system = preferred.flatMap(SystemRoot.init)
        let candidates: [String]
        if let system {
            candidates = system.serverTrees
        } else if let preferred {
            candidates = [preferred]
        } else {
            candidates =
                folders.flatMap { folder in
                    Posix.names(in: folder).filter { $0.hasPrefix("rabbitmq_server-") }.map { folder + "/" + $0 }
                }
                .sorted { version(named: $0) > version(named: $1) } + singleTrees
        }
        let prefix = system?.path ?? ""
        guard let tree = candidates.first(where: { Posix.isExecutable(prefix + $0 + "/sbin/rabbitmq-server") }) else {
            let places = preferred ?? (folders + singleTrees).joined(separator: ", ")
            throw LocalBrokerError(
                .notInstalled, "no RabbitMQ server is installed (looked in \(places))",
                remedy: "install it with `\(installCommand)`, or name a broker that already runs")
        }
        let plugin = Posix.names(in: prefix + tree + "/plugins").first { $0.hasPrefix("rabbit-") }
        guard let version = plugin.flatMap({ BrokerVersion(String($0.dropFirst("rabbit-".count))) }) else {
            throw LocalBrokerError(
                .notInstalled, "the RabbitMQ server in \(prefix + tree) has no plugins/rabbit-VERSION",
                remedy: "install it again")
        }
        return Installation(
            tree: tree, searchPath: try searchPath(for: prefix + tree, in: system), version: version, system: system)
    }

    /// The version in the name of a folder `rabbitmq_server-VERSION`.
    private static func version(named folder: String) -> BrokerVersion {
        BrokerVersion(String(folder.drop { $0 != "-" }.dropFirst())) ?? BrokerVersion(0)
    }

    private static func searchPath(
        for tree: String, in system: SystemRoot?
    ) throws(LocalBrokerError) -> String {
        let standard = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        let path =
            system == nil
            ? (Posix.environment("PATH") ?? "").split(separator: ":").map(String.init).filter { $0.hasPrefix("/") } : []
        var found: [String] = []
        for program in ["erl", "epmd"] {
            let folders = path + erlangFolders + standard
            guard
                let folder = folders.first(where: { Posix.isExecutable("\(system?.path ?? "")\($0)/\(program)") })
            else {
                throw LocalBrokerError(
                    .notInstalled, "the RabbitMQ server in \(tree) needs Erlang, but there is no \(program) in PATH",
                    remedy: "install it with `\(installCommand)`")
            }
            if !found.contains(folder) { found.append(folder) }
        }
        let others = (path + standard).reduce(into: [String]()) {
            if !found.contains($1), !$0.contains($1) { $0.append($1) }
        }
        return (found + others).joined(separator: ":")
    }

    /// The words that run a command where the server and its Erlang are.
    func running(_ command: [String]) -> [String] {
        system?.running(command) ?? command
    }

    /// Whether the server's tree holds such a file or folder.
    func has(_ name: String) -> Bool {
        Posix.exists("\(visibleTree)/\(name)")
    }

    /// The plugin folders that a node with these plugins needs.
    ///
    /// A node looks each module up in every folder of its plugin path, and reads every plugin's description twice; of
    /// the 5 to 10 seconds of a start, half goes there. Only plugins that are neither wanted nor needed by a wanted one
    /// are left out: libraries all stay.
    func neededPlugins(_ wanted: [String]) throws(LocalBrokerError) -> [String] {
        let folder = visibleTree + "/plugins"
        let entries = Posix.names(in: folder).filter { $0.contains("-") }
        func entry(of application: String) -> String? {
            entries.first { $0.hasPrefix(application + "-") }
        }
        for plugin in wanted where entry(of: plugin) == nil {
            throw LocalBrokerError(.invalidOption, "the RabbitMQ server in \(visibleTree) has no plugin \"\(plugin)\"")
        }

        var needed: Set<String> = []
        var pending = ["rabbit", "rabbitmq_prelaunch"] + wanted
        while let application = pending.popLast() {
            guard let entry = entry(of: application), needed.insert(entry).inserted else { continue }
            let description = Posix.read("\(folder)/\(entry)/ebin/\(application).app")
            pending += description.map(Self.applications) ?? []
        }
        return entries.filter { needed.contains($0) || !$0.hasPrefix("rabbitmq_") }
    }

    // MARK: -

    private static let folders = [
        "/usr/lib/rabbitmq/lib", "/usr/local/lib/rabbitmq/lib", "/usr/local/lib", "/usr/local", "/opt/rabbitmq", "/opt",
    ]
    private static let singleTrees = [
        "/opt/rabbitmq", "/opt/homebrew/opt/rabbitmq", "/usr/local/opt/rabbitmq",
        "/home/linuxbrew/.linuxbrew/opt/rabbitmq",
    ]
    private static let erlangFolders = [
        "/usr/lib/erlang/bin", "/usr/local/lib/erlang/bin", "/opt/homebrew/bin",
        "/opt/homebrew/opt/erlang/lib/erlang/bin",
        "/usr/local/bin",
    ]

    #if os(macOS)
        private static let installCommand = "brew install rabbitmq"
    #else
        private static let installCommand = "apt-get install rabbitmq-server"
    #endif

    /// The names in `{applications, [...]}` of an Erlang application's description.
    private static func applications(in description: String) -> [String] {
        guard let key = description.split(separator: "{applications,", maxSplits: 1).dropFirst().first,
            let open = key.firstIndex(of: "["), let close = key.firstIndex(of: "]"), open < close
        else { return [] }
        return key[key.index(after: open)..<close]
            .split { $0 == "," || $0 == "'" || $0.isWhitespace || $0.isNewline }
            .map(String.init)
    }
}
