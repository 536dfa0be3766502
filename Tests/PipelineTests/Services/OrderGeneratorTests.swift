import ActorBus
import Dispatch
import LocalBroker
import Logging
import Testing

@testable import Pipeline

private final class OutboxExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "outbox")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// Keeps the lines from warnings on.
private struct WarningLog: LogHandler {
    let lines: ActorBus.Lock<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.withLock { $0.append("\(event.message)") } }
}

@Suite(.serialized) struct OrderGeneratorTests {
    /// With one group in flight and an hour to the next, the failure has to be heard of all the same.
    @Test(.timeLimit(.minutes(1))) func `a right that stays missing ends the generator at once, with few lines`()
        async throws
    {
        try await StageScene.with { scene in
            try await scene.broker.rabbitmqctl([
                "set_permissions", "-p", scene.virtualHost, "guest", ".*", "^$", ".*",
            ])
            let lines = ActorBus.Lock<[String]>([])
            let context = ServiceContext(
                .generator, topology: Topology(), drain: DrainTime(.seconds(5)),
                observer: PipelineObserver { _ in }, logger: Logger(label: "test") { _ in WarningLog(lines: lines) })
            let folder = try TemporaryFolder()
            let outbox = try await OrderOutbox.open(in: folder.directory, executor: OutboxExecutor())
            let plan = GeneratorPlan(
                batch: try BatchSize("100-100"), pace: Pace(try SecondsRange("3600-3600"), speed: try Speed("1")),
                seed: 1, maximum: nil)
            let generator = OrderGenerator(context, plan: plan, outbox: outbox, patience: .milliseconds(1500))
            let began = ContinuousClock.now
            let error = await #expect(throws: AMQPError.self) {
                try await generator.run(on: scene.connection.configuration)
            }
            #expect(error?.code == .accessRefused, "\(String(describing: error))")
            // It has its patience.
            #expect(began.duration(to: .now) >= .milliseconds(1500))
            let told = lines.withLock { $0 }.filter { $0.contains("published to the exchange 'orders'") }
            #expect(told.count == 1, "\(told)")
            #expect(try await outbox.unconfirmed().count == 100)
        }
    }
}
