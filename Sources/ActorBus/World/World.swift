/// What a connection takes from outside: the time, pauses, random numbers, the addresses of names, streams of bytes, and
/// threads and tasks to run on.
///
/// ``real`` is the machine's. A simulated one comes from `ActorBusTesting`: the whole client, and services on it, run
/// in it unchanged, in virtual time.
public struct World: Sendable {
    package let surroundings: any Surroundings

    package init(_ surroundings: any Surroundings) { self.surroundings = surroundings }

    /// The machine's clocks, network and threads.
    public static let real = World(RealSurroundings())

    /// Suspends the task. Throws `CancellationError`, at once, when it is cancelled.
    public func sleep(for duration: Duration) async throws { try await surroundings.sleep(for: duration) }

    /// The world's time, for what takes a clock.
    public var clock: WorldClock { WorldClock(world: self) }

    package var now: Instant { surroundings.now }

    /// The calendar's time, in milliseconds since 1970.
    package var calendarTime: Int64 { surroundings.calendarTime }

    /// Random numbers, of which no two generators give the same.
    package var randomness: Randomness { Randomness(surroundings: surroundings) }

    /// Where tasks run that are told nothing else; nil for Swift's shared threads.
    package var taskExecutor: (any TaskExecutor)? { surroundings.taskExecutor }

    /// Starts a task, as `Task.init` does: on the actor that it is started on.
    ///
    /// The only way in which tasks are started here. In a simulation each has to name its executor: one that does not is
    /// on a thread of its own choice as soon as it leaves its actor.
    @discardableResult
    package func task<Success: Sendable>(
        @_inheritActorContext @_implicitSelfCapture _ operation: sending @escaping @isolated(any) () async -> Success
    ) -> Task<Success, Never> {
        guard let executor = taskExecutor else { return Task(operation: operation) }
        return Task(executorPreference: executor) { await operation() }
    }

    /// The same for what may throw.
    @discardableResult
    package func task<Success: Sendable>(
        @_inheritActorContext @_implicitSelfCapture _ operation:
            sending @escaping @isolated(any) () async throws -> Success
    ) -> Task<Success, any Error> {
        guard let executor = taskExecutor else { return Task(operation: operation) }
        return Task(executorPreference: executor) { try await operation() }
    }
}

/// What a ``World`` is made of: implemented once for the machine, and once for simulations.
package protocol Surroundings: AnyObject, Sendable {
    var now: Instant { get }
    var calendarTime: Int64 { get }
    var taskExecutor: (any TaskExecutor)? { get }
    func randomNumber() -> UInt64
    func sleep(for duration: Duration) async throws

    /// All addresses of an endpoint. Throws ``AMQPError/Code/brokerUnreachable`` when it has none, and when there is no
    /// answer within `timeout`.
    func addresses(
        of endpoint: ConnectionConfiguration.Endpoint, timeout: Duration
    ) async throws -> [ResolvedAddress]

    /// Begins to connect. Throws ``AMQPError/Code/connectionLost``.
    func connect(to address: ResolvedAddress, _ liveness: Liveness) throws(AMQPError) -> any Transport

    /// A thread for an actor or for tasks that block; `name` is shown by `ps -L`. Throws
    /// ``AMQPError/Code/systemResource``.
    func makeThread(name: String) throws(AMQPError) -> any LoopThread
}

/// Random numbers of a world.
package struct Randomness: RandomNumberGenerator, Sendable {
    fileprivate let surroundings: any Surroundings

    package mutating func next() -> UInt64 { surroundings.randomNumber() }
}

/// The time of a ``World``: the machine's monotonic clock, or one that is simulated.
public struct WorldClock: Clock {
    /// A moment, of use in the same world only.
    public struct Instant: InstantProtocol {
        fileprivate var moment: ActorBus.Instant

        public func advanced(by duration: Duration) -> Instant { Instant(moment: moment + duration) }
        public func duration(to other: Instant) -> Duration { other.moment - moment }
        public static func < (left: Instant, right: Instant) -> Bool { left.moment < right.moment }
        public func hash(into hasher: inout Hasher) { hasher.combine(moment.nanoseconds) }
    }

    fileprivate let world: World

    public var now: Instant { Instant(moment: world.now) }
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Suspends the task until the deadline. Throws `CancellationError`, at once, when it is cancelled.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        try await world.sleep(for: now.duration(to: deadline))
    }
}
