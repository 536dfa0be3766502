/// Resolves host names on a thread of its own, since the system's resolver blocks for as long as it likes, and the
/// connection's thread has deadlines to keep meanwhile.
actor NameResolver {
    private let thread: BlockingThread

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.unownedExecutor }

    private init() throws(AMQPError) {
        thread = try BlockingThread(name: "amqp-resolver")
    }

    /// All addresses of an endpoint. Throws ``AMQPError/Code/brokerUnreachable``, also when there is no answer within
    /// `timeout`; the thread then ends by itself when the resolver does.
    static func addresses(
        of endpoint: ConnectionConfiguration.Endpoint, timeout: Duration
    ) async throws -> [ResolvedAddress] {
        let resolver = try NameResolver()
        let outcome = FirstOutcome<[ResolvedAddress]>()
        let work = Task {
            do {
                outcome.settle(.success(try await resolver.resolve(endpoint)))
            } catch {
                outcome.settle(.failure(error))
            }
        }
        let timer = Task {
            do { try await Task.sleep(for: timeout) } catch { return }
            outcome.settle(
                .failure(
                    AMQPError(
                        .brokerUnreachable, "the host name '\(endpoint.host)' was not resolved within \(timeout)")))
        }
        defer {
            work.cancel()
            timer.cancel()
        }
        return try await withTaskCancellationHandler {
            try await outcome.value()
        } onCancel: {
            outcome.settle(.failure(CancellationError()))
        }
    }

    private func resolve(_ endpoint: ConnectionConfiguration.Endpoint) throws -> [ResolvedAddress] {
        try ResolvedAddress.resolve(endpoint)
    }
}

extension ConnectionConfiguration.Endpoint {
    /// The addresses that the host name stands for, in numbers. Throws ``AMQPError/Code/brokerUnreachable`` when it
    /// stands for none, and when there is no answer within `timeout`.
    package func addresses(timeout: Duration) async throws -> [String] {
        try await NameResolver.addresses(of: self, timeout: timeout).map(\.text)
    }
}

/// A result of which the first to come counts.
private final class FirstOutcome<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiter: CheckedContinuation<Value, any Error>?
    }

    private let state = Lock(State())

    func settle(_ result: Result<Value, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            return state.waiter.take()
        }
        waiter?.resume(with: result)
    }

    /// To be awaited once.
    func value() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state in
                if state.result == nil { state.waiter = continuation }
                return state.result
            }
            if let result { continuation.resume(with: result) }
        }
    }
}
