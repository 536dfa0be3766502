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
        return try await World.real.withTimeLimit(
            timeout,
            overdue: AMQPError(
                .brokerUnreachable, "the host name '\(endpoint.host)' was not resolved within \(timeout)")
        ) {
            try await resolver.resolve(endpoint)
        }
    }

    private func resolve(_ endpoint: ConnectionConfiguration.Endpoint) throws -> [ResolvedAddress] {
        try ResolvedAddress.resolve(endpoint)
    }
}

extension ConnectionConfiguration.Endpoint {
    /// The addresses of the host name, in numbers. Throws ``AMQPError/Code/brokerUnreachable`` when it has none, and
    /// when there is no answer within `timeout`.
    package func addresses(timeout: Duration) async throws -> [String] {
        try await World.real.surroundings.addresses(of: self, timeout: timeout).map(\.text)
    }
}
