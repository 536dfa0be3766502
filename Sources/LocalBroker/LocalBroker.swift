import Subprocess
import Synchronization

/// A private, real RabbitMQ broker: one node, or a cluster of three, as children of this process on free ports of
/// 127.0.0.1.
///
/// It runs until ``stop()``, until its last reference is dropped, or until this process ends in whatever way, `kill -9`
/// included; then its nodes and its port mapper end, and temporary data is removed, within a few seconds. A Ctrl-C in
/// the terminal does not reach it: whoever started it stops it, after its own work is drained.
///
/// Log in as `guest` with the password `guest`, which RabbitMQ accepts from the loopback interface only.
public final class LocalBroker: Sendable {
    /// One node of the broker.
    public struct Node: Sendable, Hashable {
        /// Its Erlang name, as `rabbitmqctl -n` takes it; the same at every start.
        public let name: String
        /// Where it speaks AMQP on 127.0.0.1; the same until the broker stops.
        public let amqpPort: UInt16
    }

    /// The nodes, in the order in which every method counts them.
    public let nodes: [Node]
    /// The folder that holds the data and, in `node-1/log` and so on, what each node says.
    public let dataDirectory: String

    /// The version of its server.
    public var version: BrokerVersion { files.installation.version }

    /// How a node's Erlang machine ended.
    public struct NodeExit: Sendable {
        /// As a shell has it: 128 and the number of the signal when a signal killed it.
        public let status: Int
        /// The last lines that the server wrote, where it wrote any.
        public let logTail: String?
    }

    private let plans: [NodePlan]
    private let files: NodeFiles
    private let processes: Guard
    private let startTimeout: Duration

    /// How long nodes whose data is kept get to end in order.
    private static let stopGrace = Duration.seconds(20)
    private static let pollInterval = Duration.milliseconds(20)

    /// Starts a broker and returns once every node answers.
    ///
    /// Cancellation ends what was started and throws `CancellationError`.
    /// - Throws: ``LocalBrokerError``, with the end of the server's log where it has one.
    public static func start(_ options: LocalBrokerOptions = LocalBrokerOptions()) async throws -> LocalBroker {
        try options.validate()
        let installation = try Installation.find(options.installation)
        let deadline = ContinuousClock.now + options.startTimeout
        let folder = try await DataFolder.open(options, deadline: min(deadline, ContinuousClock.now + .seconds(10)))
        // From here on the guard owns the folder and its lock.
        let processes = Guard(
            folder: folder.path, removesFolder: folder.isTemporary, searchPath: installation.searchPath,
            lock: folder.lock)
        do {
            let ports = try Loopback.freePorts(1 + 2 * options.nodes)
            let files = NodeFiles(
                folder: folder, installation: installation, options: options, epmdPort: ports[0], mark: processes.mark)
            let plans = (1...options.nodes).map {
                NodePlan(number: $0, amqpPort: ports[2 * $0 - 1], distributionPort: ports[2 * $0])
            }
            let broker = LocalBroker(
                plans: plans, files: files, processes: processes, startTimeout: options.startTimeout)
            try await broker.bringUp(isFormed: folder.isFormed, deadline: deadline)
            try folder.markFormed(nodes: options.nodes)
            return broker
        } catch {
            // What never answered holds nothing worth an orderly end.
            await processes.end(grace: .seconds(folder.isFormed ? 3 : 0))
            throw error
        }
    }

    /// Throws ``LocalBrokerError`` `notInstalled` where no server is found that ``start(_:)`` could run.
    public static func checkInstalled() throws(LocalBrokerError) {
        _ = try installedVersion()
    }

    /// The version of the server that ``start(_:)`` would run; throws as ``checkInstalled()`` does.
    public static func installedVersion() throws(LocalBrokerError) -> BrokerVersion {
        try Installation.find(nil).version
    }

    private init(plans: [NodePlan], files: NodeFiles, processes: Guard, startTimeout: Duration) {
        self.plans = plans
        self.files = files
        self.processes = processes
        self.startTimeout = startTimeout
        nodes = plans.map { Node(name: $0.erlangName, amqpPort: $0.amqpPort) }
        dataDirectory = files.folder.path
    }

    /// The broker's address with its login, hosts separated by commas where there are several.
    public var url: String {
        "amqp://guest:guest@\(nodes.map { "127.0.0.1:\($0.amqpPort)" }.joined(separator: ","))/"
    }

    /// Ends the broker and returns when none of its processes is left and temporary data is removed.
    ///
    /// May be called again, and from several tasks; is not cut short by cancellation. Kept data is written out in
    /// order, up to 20 s.
    public func stop() async {
        await processes.end(grace: Self.stopGrace)
    }

    /// Ends the broker while blocking the calling thread, for a way out that cannot await; a few seconds at most.
    public func stopSynchronously() {
        processes.endBlocking()
    }

    /// Waits until a node's Erlang machine has ended, for whatever reason, and tells how: at once when it has ended and
    /// was not started again. ``restart(node:)`` brings it back.
    ///
    /// Cancellation throws `CancellationError`.
    /// - Throws: ``LocalBrokerError`` `notRunning` once the broker is stopped or its guard is gone.
    public func waitForExit(node: Int = 0) async throws -> NodeExit {
        let plan = try plan(node)
        guard let status = try await processes.exit(of: plan.processName) else { throw notRunning }
        return NodeExit(status: status, logTail: Posix.tail(of: files.log(of: plan)))
    }

    // MARK: Faults

    /// Kills a node with SIGKILL and returns when it is gone; nothing happens when it does not run.
    public func kill(node: Int) async throws {
        try await end(node, with: Posix.killSignal, within: .seconds(10))
    }

    /// Ends a node in good order with SIGTERM, as a rolling upgrade does, and returns when it is gone; nothing happens
    /// when it does not run.
    public func terminate(node: Int) async throws {
        try await end(node, with: Posix.terminateSignal, within: .seconds(60))
    }

    private func end(_ node: Int, with signal: Int32, within limit: Duration) async throws {
        let plan = try plan(node)
        guard let process = processes.process(plan.processName) else { return }
        Posix.send(signal, to: process)
        let deadline = ContinuousClock.now + limit
        while processes.process(plan.processName) != nil {
            try await wait(until: deadline, for: "the end of \(plan.erlangName)", node: plan)
        }
    }

    /// Starts a node again on its port and data, after killing it if it still runs, and returns when it answers.
    ///
    /// In a cluster that has no majority left a node answers only once enough others were started. A ``stop()``
    /// meanwhile wins: this then throws `notRunning`, and no server is left. Cancellation leaves the node starting.
    public func restart(node: Int) async throws {
        let plan = try plan(node)
        try await kill(node: node)
        try ensureRunning()
        let deadline = ContinuousClock.now + startTimeout
        // Without it the node would start a port mapper that nobody ends.
        if processes.process(NodeFiles.epmdName) == nil { try await startPortMapper(deadline: deadline) }
        processes.start(plan.processName)
        try await waitForAnswer(of: plan, deadline: deadline)
    }

    /// Freezes a node with SIGSTOP: its connections stay open, and nothing answers on them.
    public func freeze(node: Int) throws {
        try signal(Posix.stopSignal, node: node)
    }

    /// Lets a frozen node go on.
    public func thaw(node: Int) throws {
        try signal(Posix.continueSignal, node: node)
    }

    /// The process id of a node's Erlang machine; nil when it does not run.
    public func processIdentifier(node: Int) throws -> Int32? {
        processes.process(try plan(node).processName)
    }

    /// Runs `rabbitmqctl` against a node and returns what it prints on standard output.
    ///
    /// It takes a second or two, since it starts an Erlang machine of its own. Cancellation ends it.
    /// - Throws: ``LocalBrokerError`` with what it printed when it fails or takes too long.
    @discardableResult
    public func rabbitmqctl(
        _ arguments: [String], node: Int = 0, timeout: Duration = .seconds(60)
    ) async throws -> String {
        let plan = try plan(node)
        try ensureRunning()
        let variables =
            files.commonVariables(plan) + [
                ("PATH", files.installation.searchPath),
                ("LC_ALL", "C.UTF-8"),
                ("RABBITMQ_CTL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}"),
            ]
        return try await RabbitMQControl.run(
            files.installation.running(
                [files.installation.tree + "/sbin/rabbitmqctl", "--quiet", "--node", plan.erlangName] + arguments),
            variables: variables, timeout: timeout)
    }

    // MARK: -

    private func bringUp(isFormed: Bool, deadline: ContinuousClock.Instant) async throws {
        try files.linkServer()
        try files.writeEpmdLauncher()
        for plan in plans {
            if !isFormed {
                // The rest of a start that was broken off; nobody has had an answer from it.
                try await RabbitMQControl.removeTree("\(dataDirectory)/\(plan.processName)")
            }
            try files.write(plan, seed: plan.number == 1 ? nil : plans[0])
        }

        try await startPortMapper(deadline: deadline)

        // Nodes of a new cluster join the first, so it has to be there; those of a known one wait for each other.
        var pending = plans[...]
        if !isFormed {
            let first = pending.removeFirst()
            processes.start(first.processName)
            try await waitForAnswer(of: first, deadline: deadline)
        }
        for plan in pending { processes.start(plan.processName) }
        for plan in pending { try await waitForAnswer(of: plan, deadline: deadline) }
        if plans.count > 1 { try await checkCluster(deadline: deadline) }
    }

    private func startPortMapper(deadline: ContinuousClock.Instant) async throws {
        processes.start(NodeFiles.epmdName)
        while try await !Loopback.accepts(files.epmdPort) {
            try await wait(until: deadline, for: "Erlang's port mapper", node: nil)
        }
    }

    /// A node that did not find its cluster would have begun one of its own, and would answer all the same.
    private func checkCluster(deadline: ContinuousClock.Instant) async throws {
        while true {
            let status = try await rabbitmqctl(["cluster_status", "--formatter", "json"])
            let running = status.split(separator: "\"running_nodes\":", maxSplits: 1).last?.prefix { $0 != "]" } ?? ""
            if plans.allSatisfy({ running.contains("\"\($0.erlangName)\"") }) { return }
            try await wait(until: deadline, for: "a cluster of \(plans.count) nodes", node: plans.last)
        }
    }

    private func waitForAnswer(of plan: NodePlan, deadline: ContinuousClock.Instant) async throws {
        while try await !Loopback.answersAMQP(plan.amqpPort) {
            // A node that was told to end did not fail.
            try ensureRunning()
            if let status = processes.exitStatus(plan.processName) {
                throw LocalBrokerError(
                    .startFailed,
                    "the RabbitMQ server \(plan.erlangName) ended with status \(status) before it answered",
                    logTail: Posix.tail(of: files.log(of: plan)))
            }
            try await wait(until: deadline, for: "an answer of \(plan.erlangName) on port \(plan.amqpPort)", node: plan)
        }
    }

    /// One turn of waiting for something that only asking again can show.
    private func wait(until deadline: ContinuousClock.Instant, for what: String, node: NodePlan?) async throws {
        try ensureRunning()
        guard ContinuousClock.now < deadline else {
            throw LocalBrokerError(
                .timedOut, "waited too long for \(what)", logTail: node.flatMap { Posix.tail(of: files.log(of: $0)) })
        }
        try await Task.sleep(for: Self.pollInterval)
    }

    private func ensureRunning() throws(LocalBrokerError) {
        if processes.isEnding { throw notRunning }
    }

    private var notRunning: LocalBrokerError {
        LocalBrokerError(.notRunning, processes.failure ?? "the broker was stopped")
    }

    private func plan(_ node: Int) throws(LocalBrokerError) -> NodePlan {
        guard plans.indices.contains(node) else {
            throw LocalBrokerError(.invalidOption, "there is no node \(node); the broker has \(plans.count)")
        }
        return plans[node]
    }

    private func signal(_ signal: Int32, node: Int) throws(LocalBrokerError) {
        let plan = try plan(node)
        guard let process = processes.process(plan.processName) else {
            throw LocalBrokerError(.notRunning, "\(plan.erlangName) does not run")
        }
        Posix.send(signal, to: process)
    }
}
