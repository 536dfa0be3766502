#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
import ActorBus
import Logging
import Pipeline

/// A run from its options to the exit code.
enum Program {
    /// Runs, and ends the process with the code that the contract has for how it went.
    static func run(_ target: RunTarget, _ options: RunOptions) async -> Never {
        let configuration: RunConfiguration
        do {
            configuration = try RunConfiguration(
                target, options, environment: ProcessEnvironment.variables(), readFile: ProcessEnvironment.readFile)
        } catch {
            fail(error)
        }
        let logs = LogOutput(format: configuration.logFormat, level: configuration.logLevel)
        let logger = logs.logger(service: target == .all ? "pipeline" : target.commandName)
        for warning in configuration.warnings { logger.warning("\(warning)") }
        do {
            end(try await run(configuration, logs, logger))
        } catch {
            // So that there is room for it.
            LineWriter.standardError.flush()
            logger.error("\(ErrorText.of(error))", metadata: ["exit": .stringConvertible(ExitStatus.of(error))])
            end(ExitStatus.of(error))
        }
    }

    /// Says what is wrong with the configuration and ends the process. Before there are settings for logs, so in plain
    /// words.
    static func fail(_ error: any Error) -> Never {
        fail(ErrorText.of(error), ExitStatus.of(error))
    }

    /// Says what is wrong with the command line and ends the process.
    static func fail(usage words: String) -> Never {
        fail(words, ExitStatus.usage)
    }

    private static func fail(_ words: String, _ status: Int32) -> Never {
        LineWriter.standardError.write(Array("ERROR pipeline-run: \(words)\n".utf8))
        end(status)
    }

    /// Ends the process, with the last words of its log written.
    static func end(_ status: Int32) -> Never {
        LineWriter.standardError.flush()
        exit(status)
    }

    private static func run(_ configuration: RunConfiguration, _ logs: LogOutput, _ logger: Logger) async throws
        -> Int32
    {
        let stop = StopSignal()
        try StopSignals.listen(
            first: {
                logger.info("Stopping: what is in hand is finished; a second signal ends at once")
                stop.stop()
            },
            second: {
                // The private broker's guard ends it as soon as this process is gone.
                _exit(ExitStatus.secondSignal)
            })
        switch configuration.target {
        case .role(let kind):
            guard let broker = configuration.broker else {
                throw ConfigurationError(.environment, "no broker is named for '\(kind.rawValue)'")
            }
            let run = RoleRun(kind: kind, configuration: configuration, broker: broker, logs: logs)
            try await stop.untilStopped { try await run.run() }
            return 0
        case .all:
            let outcome = try await AllRun(configuration: configuration, logs: logs, stop: stop).run()
            return try finish(outcome, logger)
        }
    }

    /// Prints the line of data that `all` ends with; that orders are lost, or out of sight, is said before it.
    private static func finish(_ outcome: AllRun.Outcome, _ logger: Logger) throws -> Int32 {
        let (lost, notFollowed) = (outcome.remainder.lost, outcome.remainder.notFollowed)
        if lost > 0 {
            LineWriter.standardError.flush()
            logger.error(
                "\(lost == 1 ? "1 order is" : "\(lost) orders are") lost: confirmed by the broker, not settled, and in no queue",
                metadata: ["lost": .stringConvertible(lost)])
        }
        if notFollowed > 0 {
            LineWriter.standardError.flush()
            logger.error(
                "\(notFollowed == 1 ? "1 order was" : "\(notFollowed) orders were") not followed to the end: others consume from these queues too",
                metadata: ["not_followed": .stringConvertible(notFollowed)])
        }
        LineWriter.standardError.flush()
        let output = DataWriter(descriptor: 1)
        output.write(Array((outcome.summary.json(outcome.remainder) + "\n").utf8))
        if let failure = outcome.failure { throw failure }
        if output.hasFailed {
            logger.error("The result could not be written to standard output")
            return ExitStatus.failure
        }
        return lost > 0 || notFollowed > 0 ? ExitStatus.failure : 0
    }
}
