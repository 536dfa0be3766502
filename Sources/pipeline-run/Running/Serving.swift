/// The servers that stand beside a run.
enum Serving {
    /// Lets them serve while `body` runs, its drain included, and not longer.
    ///
    /// - Parameter servers: each serves until its task is cancelled.
    static func whileRunning<Value: Sendable>(
        _ servers: [@Sendable () async -> Void], _ body: () async throws -> Value
    ) async throws -> Value {
        // Tasks of their own: a stop signal must not end them before the services have drained.
        let serving = servers.map { serve in Task { await serve() } }
        func end() async {
            for task in serving { task.cancel() }
            for task in serving { await task.value }
        }
        do {
            let value = try await body()
            await end()
            return value
        } catch {
            await end()
            throw error
        }
    }
}
