import Testing

/// What a test throws when something did not happen in time, or not at all.
struct Overdue: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Runs `body` and throws ``Overdue`` when it takes longer than `limit`. What does not heed its cancellation is left behind, so
/// that a hang fails one test and not the whole run.
func within<Value: Sendable>(
    _ limit: Duration, _ what: @autoclosure @escaping @Sendable () -> String,
    _ body: @escaping @Sendable () async throws -> Value
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
        reporter.yield(.failure(Overdue("not within \(limit): \(what())")))
    }
    defer {
        timer.cancel()
        work.cancel()
    }
    for await outcome in outcomes { return try outcome.get() }
    throw CancellationError()
}

/// Asks again until there is an answer, and throws ``Overdue`` when there is none by the limit. Only for what no event tells.
func eventually<Value>(
    within limit: Duration = .seconds(20), _ what: String, every pause: Duration = .milliseconds(50),
    _ answer: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try await answer() { return value }
        if ContinuousClock.now >= deadline { throw Overdue("not within \(limit): \(what)") }
        try await Task.sleep(for: pause)
    }
}

/// The same for a condition.
func eventually(
    within limit: Duration = .seconds(20), _ what: String, isSo: () async throws -> Bool
) async throws {
    let _: Void = try await eventually(within: limit, what) { try await isSo() ? () : nil }
}
