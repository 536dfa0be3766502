import ActorBus
import LocalBroker
import Logging
import Pipeline

/// The broker of an `all` for which none is named: a real RabbitMQ of its own, with its data in the state folder.
enum PrivateBroker {
    /// It ended, and will not be started again.
    struct Gone: Error, CustomStringConvertible {
        let description: String
    }

    /// Nobody but this process can bring it back; a server that keeps ending has a reason that a restart does not cure.
    private static let mostRestarts = 3
    private static let restartPeriod = Duration.seconds(300)

    /// Starts it, starts it again on its port and data when it ends by itself, and stops it however `body` ends.
    ///
    /// `body` gets its address, and a stream that yields once, when the broker is gone for good, why. Throws
    /// `CancellationError` when the stop signal comes before it answers.
    static func whileRunning<Value: Sendable>(
        in folder: StateDirectory, stop: StopSignal, _ logger: Logger,
        _ body: (ConnectionConfiguration, _ gone: AsyncStream<any Error>) async throws -> Value
    ) async throws -> Value {
        logger.info("Starting a private RabbitMQ, which takes some seconds; AMQP_URL would name another broker")
        let options = LocalBrokerOptions(dataDirectory: folder.file("broker"))
        let broker: LocalBroker
        do {
            broker = try await stop.untilStopped { try await LocalBroker.start(options) }
        } catch let error as LocalBrokerError where error.code == .dataOfOtherVersion {
            throw ConfigurationError(.environment, "\(error), which --state-dir names")
        }
        logger.info(
            "The private RabbitMQ answers",
            metadata: ["address": "127.0.0.1:\(broker.nodes[0].amqpPort)", "data": "\(broker.dataDirectory)"])
        let (gone, tell) = AsyncStream<any Error>.makeStream()
        // Not ended by the stop signal: a drain needs the broker too.
        let keeping = Task { () -> (any Error)? in
            do {
                try await keepRunning(broker, logger)
            } catch is CancellationError {
                // The body has ended.
                return nil
            } catch {
                tell.yield(error)
                return error
            }
        }
        func end() async -> (any Error)? {
            keeping.cancel()
            let loss = await keeping.value
            await broker.stop()
            return loss
        }
        do {
            let value = try await body(try ConnectionConfiguration(url: broker.url), gone)
            logger.info("Stopping the private RabbitMQ")
            _ = await end()
            return value
        } catch {
            // Where the broker is lost, that is why the body failed.
            throw await end() ?? error
        }
    }

    /// Throws when the server cannot be brought back, or when the task is cancelled.
    private static func keepRunning(_ broker: LocalBroker, _ logger: Logger) async throws -> Never {
        var restarts: [ContinuousClock.Instant] = []
        while true {
            let exit = try await broker.waitForExit()
            let status = exit.status
            let how = status > 128 ? "was killed by signal \(status - 128)" : "ended with status \(status)"
            restarts.removeAll { $0 < .now - restartPeriod }
            guard restarts.count < mostRestarts else {
                let words = exit.logTail.map { "\nthe server's last words:\n\($0)" } ?? ""
                throw Gone(
                    description: "the private RabbitMQ \(how) once more, after \(mostRestarts) restarts within "
                        + "\(restartPeriod); its data is kept in \(broker.dataDirectory)\(words)")
            }
            restarts.append(.now)
            logger.warning(
                "The private RabbitMQ \(how); starting it again on its data",
                metadata: ["restart": "\(restarts.count) of \(mostRestarts)"])
            do {
                try await broker.restart(node: 0)
                logger.notice("The private RabbitMQ answers again")
            } catch let error as LocalBrokerError where error.code == .startFailed {
                // It ended while it started, which the next turn finds.
                logger.debug("\(error)")
            }
        }
    }
}
