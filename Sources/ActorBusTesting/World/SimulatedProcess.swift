public import ActorBus

/// A process of a simulation: tasks, connections and threads of its own, which end in the middle of anything when it is
/// killed. Only what it has written to files stays.
///
/// ```swift
/// let process = simulated.start("payment") { world in
///     var configuration = simulated.configuration(of: "rabbit")
///     configuration.world = world
///     try await withConnection(to: configuration) { connection in … }
/// }
/// try await simulated.sleep(for: .seconds(5))
/// process.send(.kill, afterSteps: 100)
/// await process.end()
/// ```
///
/// What runs in it has to take everything from the world that it is given. What it shares with others in memory (a test's
/// own records) is outside of every process, like another service that it calls.
public final class SimulatedProcess: @unchecked Sendable {
    // Unchecked: the simulation has one thread.

    public enum Signal: Sendable, Hashable, CaseIterable {
        /// As SIGTERM: the task of its main function is cancelled.
        case terminate
        /// As SIGKILL: nothing of it runs any more, and the system closes its connections behind what they had written.
        case kill
        /// Its machine loses power: as `kill`, and what it was connected to hears nothing of it.
        case powerOff
    }

    /// How it ended.
    public enum End: Sendable {
        /// Its main function returned, or threw.
        case exited((any Error)?)
        case killed
    }

    public var name: String { executor.name }
    private let simulated: SimulatedWorld
    private let executor: ProcessExecutor
    /// Whether it was told to end.
    public private(set) var isTerminating = false
    private var main: Task<Void, Never>?
    private var ending: End?
    private var waiters: [CheckedContinuation<End, Never>] = []

    fileprivate init(
        _ name: String, in simulated: SimulatedWorld, _ main: @escaping @Sendable (World) async throws -> Void
    ) {
        self.simulated = simulated
        executor = ProcessExecutor(name: name, simulated.scheduler)
        let random = simulated.processSeeds.withLock { $0.split() }
        let world = World(
            SimulatedSurroundings(simulated.scheduler, simulated.network, of: executor, random: random))
        simulated.tell("process '\(name)' starts")
        self.main = world.task { [self] in
            do {
                try await main(world)
                finish(.exited(nil))
            } catch {
                finish(.exited(error))
            }
        }
    }

    /// Whether it has neither ended nor been killed.
    public var isRunning: Bool { ending == nil }

    /// Waits until it has ended or is killed. To be called outside of it.
    @discardableResult
    public func end() async -> End {
        if let ending { return ending }
        return await withCheckedContinuation { waiters.append($0) }
    }

    /// Sends it a signal; one that has ended is left alone.
    public func send(_ signal: Signal) {
        guard isRunning else { return }
        simulated.tell("process '\(name)' gets \(signal)")
        switch signal {
        case .terminate:
            isTerminating = true
            main?.cancel()
        case .kill: kill(.reset)
        case .powerOff: kill(.silence)
        }
    }

    /// The same once it has done so many more steps: jobs of its tasks, and turns of its connections' threads.
    public func send(_ signal: Signal, afterSteps count: Int) {
        executor.after(count) { [weak self] in self?.send(signal) }
    }

    /// Signals that it was to get after more steps, and has not got yet, do not come any more.
    public func withdrawSignals() { executor.unschedule() }

    private func kill(_ how: SimulatedNetwork.Fate.Break) {
        executor.stop()
        simulated.network.abandon(executor, how)
        simulated.killed.withLock { $0.append(self) }
        finish(.killed)
    }

    private func finish(_ end: End) {
        guard isRunning else { return }
        simulated.tell("process '\(name)' has ended: \(end)")
        ending = end
        for waiter in waiters { waiter.resume(returning: end) }
        waiters = []
    }

    /// Lets what was left of it come to its end, which nobody sees.
    func unwind() {
        executor.goOn()
        main?.cancel()
    }
}

extension SimulatedWorld {
    /// Starts a process. `main` has to take time, randomness, network and tasks from the world that it is given.
    public func start(
        _ name: String, _ main: @escaping @Sendable (_ world: World) async throws -> Void
    ) -> SimulatedProcess {
        SimulatedProcess(name, in: self, main)
    }
}
