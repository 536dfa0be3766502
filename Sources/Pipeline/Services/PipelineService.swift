package import ActorBus

/// One of the four services, ready to run.
package protocol PipelineService: Sendable {
    /// Connects to the broker, and works until the task is cancelled; cancellation is the stop signal: intake ends,
    /// what is in hand is finished, connections are closed, and this returns.
    ///
    /// Throws `AMQPError` where the broker cannot be reached or will never let the service work, and with the code
    /// `drainTimedOut` where what was in hand took too long. To be called once.
    func run(on broker: ConnectionConfiguration) async throws
}
