#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// A broker's folder: its lock, whether it is kept, and how far its cluster has come into being.
struct DataFolder: Sendable {
    let path: String
    let isTemporary: Bool
    /// Locked; handed on to the guard.
    let lock: FileDescriptor
    /// Whether a broker with these nodes has answered here before, so that its data is to be recovered.
    let isFormed: Bool

    private var stateFile: String { path + "/state" }
    private var versionFile: String { path + "/version" }

    static func open(_ options: LocalBrokerOptions, deadline: ContinuousClock.Instant) async throws -> DataFolder {
        let isTemporary = options.dataDirectory == nil
        let path: String
        if let given = options.dataDirectory {
            path = given.isEmpty ? given : Posix.absolute(given)
            try LocalBrokerOptions.validate(dataDirectory: path)
            try Posix.makeDirectory(path)
            let names = Posix.names(in: path)
            guard names.isEmpty || names.contains("lock") else {
                throw LocalBrokerError(
                    .invalidOption, "the folder \(path) holds files that are not a local broker's",
                    remedy: "name an empty or a new folder")
            }
        } else {
            path = try Posix.makeTemporaryDirectory()
        }

        let lock = try await takeLock(in: path, deadline: deadline)
        do {
            let state = Posix.read(path + "/state")?.split { $0 == " " || $0 == "\n" }.map(String.init) ?? []
            let isFormed = state.first == "formed"
            if isFormed, state.last != "\(options.nodes)" {
                throw LocalBrokerError(
                    .invalidOption,
                    "the data folder \(path) belongs to a broker of \(state.last ?? "?"), not \(options.nodes) nodes",
                    remedy: "start it with as many nodes, or name another folder")
            }
            let folder = DataFolder(path: path, isTemporary: isTemporary, lock: lock, isFormed: isFormed)
            for name in ["server/plugins", "run"] { try Posix.makeDirectory(path + "/" + name) }
            for name in Posix.names(in: path + "/run") { Posix.removeFile("\(path)/run/\(name)") }
            try folder.writeCookie()
            if !isFormed { try folder.writeState("forming", nodes: options.nodes) }
            return folder
        } catch {
            try? lock.close()
            throw error
        }
    }

    /// To be called once all nodes have answered.
    func markFormed(nodes: Int) throws(LocalBrokerError) {
        try writeState("formed", nodes: nodes)
    }

    // MARK: The server's version

    /// The version that wrote the data last; nil for a new folder, or where nothing tells.
    var writer: BrokerVersion? {
        guard isFormed else { return nil }
        if let text = Posix.read(versionFile) { return BrokerVersion(text) }
        // A folder of before the version was kept.
        return Posix.read(path + "/node-1/log").flatMap(Self.version(startedIn:))
    }

    /// The version that a server's log names, where the server started to the end.
    static func version(startedIn log: String) -> BrokerVersion? {
        guard log.contains("Server startup complete") else { return nil }
        return log.split(separator: "Starting RabbitMQ ", maxSplits: 1).dropFirst().first
            .flatMap { BrokerVersion(String($0.prefix(20))) }
    }

    /// Throws where the server would not get along with the data: an older one refuses it, or waits in vain. Keeps who
    /// wrote it, since the log that may tell so is about to go.
    func checkWriter(against installed: BrokerVersion) throws(LocalBrokerError) {
        guard let writer else { return }
        try Posix.write("\(writer)\n", to: versionFile)
        // Within a series, such as 4.0, data can be taken over both ways.
        guard installed < writer, installed.numbers.prefix(2) != writer.numbers.prefix(2) else { return }
        throw LocalBrokerError(
            .dataOfOtherVersion,
            "the data in \(path) was written by RabbitMQ \(writer), and \(installed), which is installed, is older and "
                + "cannot read it",
            remedy: "install RabbitMQ \(writer) again, or use another folder")
    }

    /// Notes that the data is now this version's.
    func noteWriter(_ installed: BrokerVersion) throws(LocalBrokerError) {
        try Posix.write("\(installed)\n", to: versionFile)
    }

    /// The error for a server that ended because the data is too old for it; nil when its log says nothing of the kind.
    func refusal(inLog log: String?, installed: BrokerVersion) -> LocalBrokerError? {
        Self.refusal(inLog: log, of: writer, in: path, installed: installed)
    }

    static func refusal(
        inLog log: String?, of writer: BrokerVersion?, in path: String, installed: BrokerVersion
    ) -> LocalBrokerError? {
        guard let log, log.contains("required feature flag not enabled") else { return nil }
        let writer = writer.map { "RabbitMQ \($0)" } ?? "an older RabbitMQ"
        return LocalBrokerError(
            .dataOfOtherVersion,
            "the data in \(path) was written by \(writer), and RabbitMQ \(installed), which is installed, cannot take it "
                + "over; the data is unharmed",
            remedy:
                "install the old version again and upgrade step by step, with `rabbitmqctl enable_feature_flag all` "
                + "on each version before the next (RabbitMQ, \"Upgrading\"), or use another folder")
    }

    // MARK: -

    private func writeState(_ word: String, nodes: Int) throws(LocalBrokerError) {
        try Posix.write("\(word) \(nodes)\n", to: stateFile)
    }

    /// The secret that nodes and command-line tools share. Written here, since nodes that start together would race to
    /// make it.
    private func writeCookie() throws(LocalBrokerError) {
        let file = path + "/.erlang.cookie"
        if Posix.exists(file) { return }
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        let cookie = String((0..<32).map { _ in letters[Int.random(in: 0..<letters.count)] })
        try Posix.write(cookie, to: file, permissions: .ownerRead)
    }

    private static func takeLock(in path: String, deadline: ContinuousClock.Instant) async throws -> FileDescriptor {
        let file = path + "/lock"
        while true {
            if let lock = try Posix.lock(file) {
                _ = try lock.writeAll("\(Posix.processIdentifier)\n".utf8)
                return lock
            }
            // Whether the process that is named in it lives says nothing: it may be a zombie, or another of that number,
            // or have dropped its broker, and the guard is then about to end it. Only a lock that stays taken does.
            guard ContinuousClock.now < deadline else {
                let owner = Posix.read(file)?.split(separator: "\n").first.map { " of process \($0)" } ?? ""
                throw LocalBrokerError(
                    .dataDirectoryInUse, "the data folder \(path) is in use by the broker\(owner)",
                    remedy: "stop that process, or name another folder")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
