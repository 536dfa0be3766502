#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
import ActorBus
import ArgumentParser
import Logging
import Pipeline

/// The flags of a command that only talks to the broker.
struct BrokerOptions: ParsableArguments {
    @Option(Settings.amqpURL) var amqpURL: String?
    @OptionGroup var tls: TLSOptions
    @Option(Settings.commandConnectAttempts) var connectAttempts: String?
    @Option(Settings.connectDelay) var connectDelay: String?
}

/// What a command for operators does: it ends with data on standard output and an exit code.
enum OperatorCommand {
    /// Runs a command to the end of the process. SIGTERM and Ctrl-C cancel it; it ends in good order then.
    static func run(_ body: @escaping @Sendable () async throws -> Int32) async -> Never {
        let stop = StopSignal()
        do {
            try StopSignals.listen(
                first: { stop.stop() },
                second: {
                    TerminalScreen.leave()
                    _exit(ExitStatus.secondSignal)
                })
            end(try await stop.untilStopped(body))
        } catch is CancellationError where stop.isStopped {
            end(0)
        } catch {
            Program.fail(error)
        }
    }

    /// Ends the process; not with success when its data did not arrive.
    static func end(_ status: Int32) -> Never {
        guard !output.hasFailed else {
            note("the result could not be written to standard output")
            Program.end(status == 0 ? ExitStatus.failure : status)
        }
        Program.end(status)
    }

    private static let output = DataWriter(descriptor: 1)

    /// Writes a line of data, after what was said before it.
    static func print(_ line: String) {
        LineWriter.standardError.flush()
        output.write(Array((line + "\n").utf8))
    }

    /// Says something to the person at the terminal.
    static func note(_ words: String) {
        LineWriter.standardError.write(Array("pipeline-run: \(words)\n".utf8))
    }

    /// Whether marks in colour are understood and wanted on standard output.
    static let colors = TerminalCapabilities(descriptor: 1).hasColors
}

/// The broker that a command talks to: the one named, else that of this machine.
struct BrokerAccess: Sendable {
    let broker: ConnectionConfiguration
    /// Whether flags or environment name it.
    let isNamed: Bool
    let warnings: [String]
    private let logger: Logger

    /// Reads the flags and the environment.
    init(
        _ options: BrokerOptions, environment: [String: String] = ProcessEnvironment.variables(),
        readFile: @escaping BrokerSettings.FileReader = ProcessEnvironment.readFile
    ) throws(ConfigurationError) {
        var settings = try BrokerSettings(
            url: options.amqpURL, tls: options.tls, environment: environment, readFile: readFile)
        isNamed = settings.connection != nil
        var broker: ConnectionConfiguration
        if let named = settings.connection {
            broker = named
        } else {
            broker = try settings.localBroker()
        }
        let attempts = try Settings.commandConnectAttempts.resolve(flag: options.connectAttempts, environment).value
        broker.connectAttempts = attempts
        broker.connectDelay = try Settings.connectDelay.resolve(flag: options.connectDelay, environment).value
        broker.name = "pipeline-run"
        broker.spool = .ofThePipeline
        self.broker = broker
        warnings = settings.warnings
        // Of a single attempt that fails the error says all.
        logger = LogOutput(level: attempts > 1 ? .warning : .critical).logger(service: "pipeline-run")
    }

    /// Runs `body` with a connection that is closed at the end, what was settled over it being written.
    func withConnection<Value: Sendable>(
        _ topology: Topology = Topology(), _ body: (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        try await ActorBus.withConnection(to: broker, topology: topology, logger: logger, body)
    }

    func sayWarnings() { for warning in warnings { OperatorCommand.note(warning) } }
}

/// A command that only groups others. Without one of them it is a usage error: a script whose variable came out empty
/// must not take that for success.
protocol CommandGroup: AsyncParsableCommand {}

extension CommandGroup {
    func run() async throws {
        Program.fail(usage: "a command is missing\n\n\(Self.helpMessage())")
    }
}
