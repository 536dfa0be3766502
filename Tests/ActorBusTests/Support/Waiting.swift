import Testing

@testable import ActorBus

/// What a test throws when something did not happen in time.
struct Overdue: Error, CustomStringConvertible {
    let description: String
}

/// Runs `body` and throws ``Overdue`` when it takes longer than `limit`. What does not heed its cancellation is left behind, so that a
/// hang fails one test and not the whole run.
func within<Value: Sendable>(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let (outcomes, reporter) = AsyncStream<Result<Value, any Error>>.makeStream()
    let work = Task {
        do {
            reporter.yield(.success(try await body()))
        } catch {
            reporter.yield(.failure(error))
        }
    }
    let timer = Task {
        try await Task.sleep(for: limit)
        reporter.yield(.failure(Overdue(description: "not within \(limit): \(what)")))
    }
    defer {
        timer.cancel()
        work.cancel()
    }
    for await outcome in outcomes { return try outcome.get() }
    throw CancellationError()
}

/// Asks again until it is so; records an issue when it is still not so after the limit. Only for what no event tells.
func eventually(
    within limit: Duration = .seconds(15), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ isSo: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isSo() {
        if ContinuousClock.now >= deadline {
            Issue.record("not so after \(limit): \(what)", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

extension AMQPConnection {
    /// Waits for a status, by its updates.
    @discardableResult
    nonisolated func status(
        within limit: Duration = .seconds(20), _ what: String,
        where matches: @escaping @Sendable (ConnectionStatus) -> Bool
    ) async throws -> ConnectionStatus {
        let updates = statusUpdates()
        return try await ActorBusTests.within(limit, "the status '\(what)'") {
            var last: ConnectionStatus?
            for await status in updates {
                if matches(status) { return status }
                last = status
            }
            throw Overdue(description: "the status updates ended before '\(what)', with \(String(describing: last))")
        }
    }
}

/// Runs `body`, which has to throw an ``AMQPError``, and returns that.
func failure(
    within limit: Duration = .seconds(15), _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable () async throws -> Void
) async throws -> AMQPError {
    do {
        try await within(limit, what, body)
    } catch let error as AMQPError {
        return error
    }
    Issue.record("no error: \(what)", sourceLocation: sourceLocation)
    throw Overdue(description: "no error: \(what)")
}

/// A gate that tasks wait at until it is opened.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }

    func pass() async { for await _ in stream {} }
}

/// A number that tasks count together.
final class Tally: Sendable {
    private let state = Lock<(now: Int, most: Int)>((0, 0))

    var value: Int { state.withLock { $0.now } }
    /// The highest it ever was.
    var most: Int { state.withLock { $0.most } }

    @discardableResult
    func add(_ change: Int = 1) -> Int {
        state.withLock { state in
            state.now += change
            state.most = max(state.most, state.now)
            return state.now
        }
    }
}
