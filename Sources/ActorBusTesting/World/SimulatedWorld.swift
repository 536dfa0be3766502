public import ActorBus

/// A world of one thread and a clock of its own, in which a seed decides what happens in what order: the same seed gives
/// the same run, to the last byte.
///
/// ```swift
/// let simulated = SimulatedWorld(seed: 7)
/// let broker = SimulatedBroker()
/// simulated.network.serve(broker, at: "rabbit")
/// let configuration = simulated.configuration(of: "rabbit")
/// try await simulated.run {
///     try await withConnection(to: configuration) { connection in … }
/// }
/// ```
///
/// The clock jumps to the next event where nothing is left to do, so hours take milliseconds. All that runs in it has to
/// belong to it: pauses through ``sleep(for:)`` or `world.clock`, tasks as children (`async let`, task groups) or through
/// ``task(_:)``. A `Task.sleep` or a bare `Task { }` would leave it, and ends the process with words that say so.
public final class SimulatedWorld: Sendable {
    public let seed: UInt64
    /// What lies between clients and brokers.
    public let network: SimulatedNetwork
    /// For a connection's configuration.
    public let world: World
    let scheduler: Scheduler
    /// Draws what each process draws from.
    let processSeeds: Lock<SeededGenerator>
    /// Processes that were killed in the run that goes on.
    let killed = Lock<[SimulatedProcess]>([])

    /// - Parameter tellsStory: whether every event is written down in words, for ``story``.
    public init(seed: UInt64, tellsStory: Bool = false) {
        self.seed = seed
        var random = SeededGenerator(seed: seed)
        scheduler = Scheduler(random: random.split(), isTold: tellsStory)
        network = SimulatedNetwork(scheduler, random: random.split())
        world = World(SimulatedSurroundings(scheduler, network, random: random.split()))
        processSeeds = Lock(random.split())
    }

    deinit {
        // They hold one another.
        network.leave()
        scheduler.abandon()
    }

    // MARK: Running

    /// Runs `body`, and all that it starts, on a thread of its own, and returns when nothing of it is left to do.
    ///
    /// - Parameter limit: how much virtual time `body` may take.
    /// - Throws: what `body` throws; ``SimulationFailure`` when it waits for something that can never happen, or beyond the
    ///   limit; `CancellationError`, with `body` left as it stands, when the calling task is cancelled; `AMQPError`
    ///   `systemResource` when no thread is to be had.
    public func run<Result: Sendable>(
        limit: Duration = .seconds(7 * 86_400), _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        // Not on Swift's shared threads, which others need meanwhile.
        let thread = try BlockingThread(name: "simulation")
        let running = Task(executorPreference: thread) { try self.runHere(limit: limit, body) }
        return try await withTaskCancellationHandler {
            try await running.value
        } onCancel: {
            running.cancel()
        }
    }

    /// The same on the calling thread.
    package func runHere<Result: Sendable>(
        limit: Duration = .seconds(7 * 86_400), _ body: @escaping @Sendable () async throws -> Result
    ) throws -> Result {
        let outcome = Outcome<Result>()
        remains.withLock { $0 = [] }
        task {
            do { outcome.result = .success(try await body()) } catch { outcome.result = .failure(error) }
        }
        let end = scheduler.run(until: scheduler.now + limit) {
            outcome.result != nil || scheduler.steps & 0xFFF == 0 && Task.isCancelled
        }
        defer { scheduler.abandon() }
        guard let result = outcome.result else {
            let words =
                switch end {
                case .quiet: "after \(elapsed) of virtual time the run waits for something that can never happen"
                case .busy: "after \(elapsed) of virtual time the run is busy without end"
                case .done: throw CancellationError()
                case .overdue: "the run was not over after \(limit) of virtual time"
                }
            throw SimulationFailure(words)
        }
        _ = scheduler.run(until: scheduler.now + Self.aftermath) { false }
        note(scheduler.threads)
        timersLeft.withLock { $0 = scheduler.pendingTimers }
        unwindKilledProcesses()
        return try result.get()
    }

    /// Lets killed processes unwind, cut off from everything and outside of the history, so that their memory comes back.
    private func unwindKilledProcesses() {
        let all = killed.withLock { killed in
            defer { killed = [] }
            return killed
        }
        guard !all.isEmpty else { return }
        let (trace, threads) = (scheduler.trace, scheduler.threads)
        for process in all { process.unwind() }
        _ = scheduler.run(until: scheduler.now + Self.unwinding) { false }
        scheduler.trace = trace
        note(scheduler.threads.filter { thread in !threads.contains { $0 === thread } })
    }

    private func note(_ threads: [SimulatedThreadExecutor]) {
        let words = threads.map { thread in
            let process = thread.process.map { " of the\($0.isKilled ? " killed" : "") process '\($0.name)'" } ?? ""
            return "the thread of '\(thread.name)' \(thread.number)\(process)"
        }
        remains.withLock { $0 += words }
    }

    /// More than any drain takes.
    private static let unwinding = Duration.seconds(600)

    /// How long what a run leaves behind may take to end, such as a channel's last words.
    private static let aftermath = Duration.seconds(120)

    /// Threads, of connections that is, that had not ended a while after the last run: nobody has closed them, or something
    /// still holds them.
    public var leftovers: [String] { remains.withLock { $0 } }
    private let remains = Lock<[String]>([])

    /// How many pauses and deadlines were still to come a while after the last run.
    package var pendingTimers: Int { timersLeft.withLock { $0 } }
    private let timersLeft = Lock(0)

    /// Starts a task in this world.
    @discardableResult
    public func task<Success: Sendable>(
        @_inheritActorContext @_implicitSelfCapture _ operation: sending @escaping @isolated(any) () async -> Success
    ) -> Task<Success, Never> { world.task(operation) }

    /// Starts a task in this world.
    @discardableResult
    public func task<Success: Sendable>(
        @_inheritActorContext @_implicitSelfCapture _ operation:
            sending @escaping @isolated(any) () async throws -> Success
    ) -> Task<Success, any Error> { world.task(operation) }

    /// Suspends the task in virtual time. Throws `CancellationError`, at once, when it is cancelled.
    public func sleep(for duration: Duration) async throws { try await world.sleep(for: duration) }

    /// The virtual time since the world began.
    public var elapsed: Duration { .nanoseconds(scheduler.now.nanoseconds) }

    // MARK: What has happened

    /// A hash over every event of the runs so far, and all bytes that went over the network. Two worlds with the same one
    /// had the same history.
    public var trace: UInt64 { scheduler.trace.hash }

    /// Every event in words, where it is told.
    public var story: [String] { scheduler.trace.story ?? [] }

    /// Adds words to ``story``.
    public func tell(_ words: @autoclosure () -> String) { scheduler.tell(words()) }

    /// How many jobs and turns have run.
    var steps: UInt64 { scheduler.steps }

    /// How to connect, as `guest`, to what is served under that name.
    public func configuration(of name: String, port: UInt16 = 5672) -> ConnectionConfiguration {
        var configuration = ConnectionConfiguration(endpoints: [.init(host: name, port: port)])
        configuration.world = world
        return configuration
    }
}

/// Why a simulation could not come to its end.
public struct SimulationFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

private final class Outcome<Value>: @unchecked Sendable {
    // Unchecked: the simulation has one thread.
    var result: Result<Value, any Error>?
}
