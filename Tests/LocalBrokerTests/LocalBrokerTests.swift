import Testing

@testable import LocalBroker

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Real servers take seconds of processor time to start; together they would only be slower.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct LocalBrokerTests {
    @Test func answersAndLeavesNothingBehind() async throws {
        let broker = try await LocalBroker.start()
        let port = try #require(broker.nodes.first).amqpPort
        #expect(broker.url == "amqp://guest:guest@127.0.0.1:\(port)/")
        #expect(try await Loopback.answersAMQP(port))
        let node = try #require(try broker.processIdentifier(node: 0))
        let command = try #require(Posix.read("/proc/\(node)/comm"))
        #expect(command.hasPrefix("beam"), "signals must reach the Erlang machine itself")
        #expect(processes(of: broker.dataDirectory).contains { $0.identifier == node })

        await broker.stop()
        #expect(!isRunning(node))
        #expect(!Posix.exists(broker.dataDirectory))
        #expect(processes(of: broker.dataDirectory).isEmpty, "nor helpers of the Erlang machine")
        await broker.stop()
        await #expect(throws: LocalBrokerError.self) { try await broker.rabbitmqctl(["status"]) }
        await #expect(throws: LocalBrokerError.self) { try await broker.restart(node: 0) }
    }

    @Test func isConfiguredFrozenKilledAndRestarted() async throws {
        let metrics = try Loopback.freePorts(1)[0]
        let broker = try await LocalBroker.start(
            LocalBrokerOptions(
                plugins: ["rabbitmq_prometheus"],
                configuration: [
                    "heartbeat": "7", "prometheus.tcp.ip": "127.0.0.1", "prometheus.tcp.port": "\(metrics)",
                ]))
        #expect(try await broker.rabbitmqctl(["environment"]).contains("{heartbeat,7}"))
        #expect(try await Loopback.accepts(metrics), "the plugin runs")
        let port = broker.nodes[0].amqpPort

        try broker.freeze(node: 0)
        #expect(try await !Loopback.answersAMQP(port))
        #expect(try await Loopback.accepts(port), "a frozen node still has its listening socket")
        try broker.thaw(node: 0)
        #expect(try await Loopback.answersAMQP(port))

        let first = try broker.processIdentifier(node: 0)
        try await broker.kill(node: 0)
        #expect(try broker.processIdentifier(node: 0) == nil)
        #expect(try await !Loopback.accepts(port))
        #expect(throws: LocalBrokerError.self) { try broker.freeze(node: 0) }
        try await broker.restart(node: 0)
        #expect(try broker.processIdentifier(node: 0) != first)
        #expect(try await Loopback.answersAMQP(port), "on the port it had")

        // Frozen again: a stop that forgot about it would wait for a node that cannot hear.
        try broker.freeze(node: 0)
        broker.stopSynchronously()
        #expect(!Posix.exists(broker.dataDirectory))
    }

    @Test func aKeptFolderIsLockedAndRecovered() async throws {
        try await withFolder { folder in
            let first = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            try await declareDurableQueue("kept", on: first)
            let inUse = await #expect(throws: LocalBrokerError.self) {
                try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder, startTimeout: .seconds(1)))
            }
            #expect(inUse?.code == .dataDirectoryInUse)
            try first.freeze(node: 0)
            await first.stop()
            #expect(processes(of: folder).isEmpty)

            let second = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            #expect(try await second.rabbitmqctl(["list_queues", "name"]).contains("kept"))
            await second.stop()

            let otherwise = await #expect(throws: LocalBrokerError.self) {
                try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder, nodes: 3))
            }
            #expect(otherwise?.code == .invalidOption)
        }
    }

    /// The lock names this very process, which lives, while the guard of the first broker is still ending it.
    @Test func aStartWaitsForABrokerThatIsEnding() async throws {
        try await withFolder { folder in
            var first: LocalBroker? = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            let node = try #require(try first?.processIdentifier(node: 0))
            first = nil
            #expect(isRunning(node), "the folder is still in use")
            let second = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            #expect(!isRunning(node))
            await second.stop()
            #expect(processes(of: folder).isEmpty)
        }
    }

    @Test func theEndOfANodeIsTold() async throws {
        try await withFolder { folder in
            let broker = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            let port = broker.nodes[0].amqpPort
            let waiting = Task { try await broker.waitForExit() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }

            let node = try #require(try broker.processIdentifier(node: 0))
            let exit = Task { try await broker.waitForExit() }
            kill(node, SIGKILL)
            #expect(try await exit.value.status == 128 + Int(SIGKILL))
            #expect(try await broker.waitForExit().status == 128 + Int(SIGKILL), "it still does not run")
            try await broker.restart(node: 0)
            #expect(try await Loopback.answersAMQP(port), "on the port it had")

            // A stop in the middle of a restart wins, and is no end of a node to be told.
            try await broker.kill(node: 0)
            let restarting = Task { try await broker.restart(node: 0) }
            try await eventually(within: .seconds(10), "the node is starting") {
                try broker.processIdentifier(node: 0) != nil
            }
            let watching = Task { try await broker.waitForExit() }
            await broker.stop()
            for error in [
                await #expect(throws: LocalBrokerError.self) { try await restarting.value },
                await #expect(throws: LocalBrokerError.self) { _ = try await watching.value },
            ] {
                #expect(error?.code == .notRunning)
            }
            #expect(processes(of: folder).isEmpty)
        }
    }

    @Test func droppingTheLastReferenceEndsIt() async throws {
        var broker: LocalBroker? = try await LocalBroker.start()
        let folder = try #require(broker?.dataDirectory)
        let node = try #require(try broker?.processIdentifier(node: 0))
        broker = nil
        try await eventually(within: .seconds(5), "the node ended and its folder is gone") {
            !isRunning(node) && !Posix.exists(folder)
        }
    }

    @Test func cancellingAStartLeavesNothing() async throws {
        try await withFolder { folder in
            let starting = Task { try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder)) }
            try await eventually(within: .seconds(30), "the node runs") { Posix.exists(folder + "/run/node-1") }
            starting.cancel()
            await #expect(throws: CancellationError.self) { _ = try await starting.value }
            #expect(processes(of: folder).isEmpty)
            #expect(Posix.names(in: folder + "/run").isEmpty)

            // What was broken off is no data: the next start begins anew.
            let broker = try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            await broker.stop()
        }
    }

    @Test func aClusterLosesAndRegainsANode() async throws {
        let broker = try await LocalBroker.start(LocalBrokerOptions(nodes: 3))
        #expect(Set(broker.nodes.map(\.amqpPort)).count == 3)
        #expect(broker.url.split(separator: ",").count == 3)
        try await broker.kill(node: 0)
        #expect(try await Loopback.answersAMQP(broker.nodes[1].amqpPort))
        #expect(try await broker.rabbitmqctl(["list_vhosts"], node: 2).contains("/"))
        try await broker.restart(node: 0)
        #expect(try await Loopback.answersAMQP(broker.nodes[0].amqpPort))
        await broker.stop()
        #expect(!Posix.exists(broker.dataDirectory))
        #expect(processes(of: broker.dataDirectory).isEmpty)
    }

    // MARK: Ways out of the process

    @Test func killingTheParentOfAFrozenNodeEndsIt() async throws {
        let result = try await #require(processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]) {
            let broker = try await LocalBroker.start()
            report(broker)
            try broker.freeze(node: 0)
            kill(getpid(), SIGKILL)
        }
        try await expectNothingLeft(of: result)
    }

    @Test func leavingTheProcessEndsIt() async throws {
        let result = try await #require(processExitsWith: .exitCode(3), observing: [\.standardOutputContent]) {
            let broker = try await LocalBroker.start()
            report(broker)
            _exit(3)
        }
        try await expectNothingLeft(of: result)
    }

    private func expectNothingLeft(of result: ExitTest.Result) async throws {
        let output = String(decoding: result.standardOutputContent, as: UTF8.self)
        let line = try #require(output.split(separator: "\n").first { $0.hasPrefix("broker ") })
        let words = line.split(separator: " ").map(String.init)
        let node = try #require(Int32(words[1]))
        let folder = words[2]
        try await eventually(within: .seconds(5), "node, port mapper, guard and folder are gone") {
            !isRunning(node) && !Posix.exists(folder) && processes(of: folder).isEmpty
        }
    }

    // MARK: What cannot be

    @Test func aMissingServerNamesThePackage() async throws {
        let error = await #expect(throws: LocalBrokerError.self) {
            try await LocalBroker.start(LocalBrokerOptions(installation: "/nowhere"))
        }
        #expect(error?.code == .notInstalled)
        #expect(error?.description.contains("install rabbitmq") == true)
    }

    @Test func aServerThatEndsShowsItsLog() async throws {
        try await withFolder { folder in
            let error = await #expect(throws: LocalBrokerError.self) {
                try await LocalBroker.start(
                    LocalBrokerOptions(dataDirectory: folder, configuration: ["no_such_key": "1"]))
            }
            #expect(error?.code == .startFailed)
            #expect(error?.logTail?.contains("no_such_key") == true)
            #expect(processes(of: folder).isEmpty)
        }
    }

    /// At several moments of a start, since at some of them an Erlang machine runs programs of its own.
    @Test(arguments: [100, 250, 400, 450, 500, 550, 700, 900]) func aStartHasADeadline(_ limit: Int) async throws {
        try await withFolder { folder in
            let error = await #expect(throws: LocalBrokerError.self) {
                try await LocalBroker.start(
                    LocalBrokerOptions(dataDirectory: folder, startTimeout: .milliseconds(limit)))
            }
            #expect(error?.code == .timedOut)
            #expect(processes(of: folder).isEmpty)
        }
    }

    @Test func aForeignFolderIsNotTouched() async throws {
        try await withFolder { folder in
            try Posix.makeDirectory(folder)
            try Posix.write("mine", to: folder + "/thesis")
            let error = await #expect(throws: LocalBrokerError.self) {
                try await LocalBroker.start(LocalBrokerOptions(dataDirectory: folder))
            }
            #expect(error?.code == .invalidOption)
            #expect(Posix.names(in: folder) == ["thesis"])
        }
    }

    @Test(arguments: [
        LocalBrokerOptions(nodes: 2),
        LocalBrokerOptions(plugins: ["a]."]),
        LocalBrokerOptions(plugins: ["rabbitmq_no_such_plugin"]),
        LocalBrokerOptions(configuration: ["heartbeat": "5\nlisteners.tcp.1 = 5672"]),
        LocalBrokerOptions(dataDirectory: ""),
        LocalBrokerOptions(dataDirectory: "/tmp/it's"),
        LocalBrokerOptions(dataDirectory: "/tmp/a:b"),
    ])
    func anOptionThatCannotBeHonouredIsRefused(_ options: LocalBrokerOptions) async throws {
        let error = await #expect(throws: LocalBrokerError.self) { try await LocalBroker.start(options) }
        #expect(error?.code == .invalidOption)
    }

    @Test func onlyNeededPluginsAreLinked() throws {
        let installation = try Installation.find(nil)
        let plain = try installation.neededPlugins([])
        #expect(plain.contains { $0.hasPrefix("rabbit-") } && plain.contains { $0.hasPrefix("rabbitmq_prelaunch-") })
        #expect(!plain.contains { $0.hasPrefix("rabbitmq_management") })
        let more = try installation.neededPlugins(["rabbitmq_prometheus"])
        #expect(more.contains { $0.hasPrefix("rabbitmq_management_agent-") }, "it needs the agent")
        #expect(!more.contains { $0.hasPrefix("rabbitmq_management-") })
    }
}

/// Tells the process that started this one what has to be gone later.
private func report(_ broker: LocalBroker) {
    let process = (try? broker.processIdentifier(node: 0)) ?? 0
    let line = Array("broker \(process) \(broker.dataDirectory)\n".utf8)
    _ = unsafe write(STDOUT_FILENO, line, line.count)
}
