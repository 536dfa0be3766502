/// The RabbitMQ server installed on this machine.
struct Installation: Sendable {
    /// The server's own tree: `sbin`, `plugins`, and beside them what its version ships.
    let root: String
    /// The folders that hold `erl` and `epmd`, then the caller's PATH.
    let searchPath: String

    var rabbitmqctl: String { root + "/sbin/rabbitmqctl" }

    /// Finds the newest server in its package's own tree; the wrapper in `/usr/sbin` would switch user.
    static func find(_ preferred: String?) throws(LocalBrokerError) -> Installation {
        let candidates: [String]
        if let preferred {
            candidates = [preferred]
        } else {
            candidates =
                folders.flatMap { folder in
                    Posix.names(in: folder).filter { $0.hasPrefix("rabbitmq_server-") }.map { folder + "/" + $0 }
                }
                .sorted { version(of: $0).lexicographicallyPrecedes(version(of: $1)) }.reversed() + singleTrees
        }
        guard let root = candidates.first(where: { Posix.isExecutable($0 + "/sbin/rabbitmq-server") }) else {
            let places = preferred ?? (folders + singleTrees).joined(separator: ", ")
            throw LocalBrokerError(
                .notInstalled, "no RabbitMQ server is installed (looked in \(places))",
                remedy: "install it with `\(installCommand)`, or name a broker that already runs")
        }

        let path = (Posix.environment("PATH") ?? "").split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
        var found: [String] = []
        for program in ["erl", "epmd"] {
            guard let folder = (path + erlangFolders).first(where: { Posix.isExecutable($0 + "/" + program) }) else {
                throw LocalBrokerError(
                    .notInstalled, "the RabbitMQ server in \(root) needs Erlang, but there is no \(program) in PATH",
                    remedy: "install it with `\(installCommand)`")
            }
            if !found.contains(folder) { found.append(folder) }
        }
        let system = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        let others = (path + system).reduce(into: [String]()) {
            if !found.contains($1), !$0.contains($1) { $0.append($1) }
        }
        return Installation(root: root, searchPath: (found + others).joined(separator: ":"))
    }

    /// The plugin folders that a node with these plugins needs.
    ///
    /// A node looks each module up in every folder of its plugin path, and reads every plugin's description twice; of
    /// the 5 to 10 seconds of a start, half goes there. Only plugins that are neither wanted nor needed by a wanted one
    /// are left out: libraries all stay.
    func neededPlugins(_ wanted: [String]) throws(LocalBrokerError) -> [String] {
        let folder = root + "/plugins"
        let entries = Posix.names(in: folder).filter { $0.contains("-") }
        func entry(of application: String) -> String? {
            entries.first { $0.hasPrefix(application + "-") }
        }
        for plugin in wanted where entry(of: plugin) == nil {
            throw LocalBrokerError(.invalidOption, "the RabbitMQ server in \(root) has no plugin \"\(plugin)\"")
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

    private static func version(of tree: String) -> [Int] {
        tree.drop { $0 != "-" }.split { !$0.isNumber }.map { Int($0) ?? 0 }
    }

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
