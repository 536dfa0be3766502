import ActorBus
import Logging
import Pipeline

/// One service as a process of its own.
struct RoleRun: Sendable {
    let kind: ServiceKind
    let configuration: RunConfiguration
    let broker: ConnectionConfiguration
    let logs: LogOutput

    /// Runs until the task is cancelled and the service has drained, or the generator has made all its orders.
    func run() async throws {
        let console = Console(logs, configuration, progressOf: nil)
        let factory = ServiceFactory(configuration, logs: logs, observer: PipelineObserver { console.show($0) })
        let broker = configuration.connection(to: broker)
        let context = factory.context(kind)
        try await console.whilePrinting {
            // The service comes first, so that all of its metrics are there from the first scrape on.
            if let consumer = factory.consumer(context) {
                try await serve(consumer, context, on: broker)
            } else {
                try await withOutbox(in: try configuration.stateFolder()) { outbox in
                    try await serve(factory.generator(context, outbox: outbox), context, on: broker)
                }
            }
        }
        logs.logger(service: kind.rawValue).info("Stopped; nothing is left in hand")
    }

    private func serve(
        _ service: any PipelineService, _ context: ServiceContext, on broker: ConnectionConfiguration
    ) async throws {
        try await Serving.whileRunning([Admin(context, configuration).serve]) { try await service.run(on: broker) }
    }
}

extension RunConfiguration {
    /// The folder for what outlives a process. Throws where none is named and none can be guessed.
    func stateFolder() throws -> StateDirectory {
        try StateDirectory.resolve(flag: stateDirectory, environment: ProcessEnvironment.variables())
    }
}
