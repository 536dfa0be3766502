/// What a service does with one message of a queue.
///
/// A stage is given an event and answers with what became of it; consuming, publishing, repeating and settling are the
/// ``StageRunner``'s. It may be given the same event again, and has to come to the same answer then.
package protocol Stage: Sendable {
    associatedtype Event: PipelineEvent

    /// The queue whose messages it is given.
    var queue: PipelineQueue { get }

    /// Does the work. Nil where there is nothing to do.
    ///
    /// Ends with `CancellationError` when its task is cancelled; any other error is a failure for now. Runs on the thread
    /// of the consumer's connection: it may wait as long as it likes, and must not block. What blocks belongs on a thread
    /// of its own.
    func handle(_ event: Event, of identity: OrderIdentity) async throws -> StageAnswer?
}

/// What a stage made of a message.
package struct StageAnswer: Sendable {
    /// What took place, counted once for an order.
    package let effect: Effect
    /// What is to be published of it.
    package let publication: (any PipelineEvent)?
    /// How it is told within the process.
    package let report: OrderEvent
    /// Adds it to the service's metrics; called when the effect is new.
    package let count: @Sendable () -> Void

    package init(
        _ effect: Effect, publish publication: (any PipelineEvent)? = nil, report: OrderEvent,
        count: @escaping @Sendable () -> Void
    ) {
        self.effect = effect
        self.publication = publication
        self.report = report
        self.count = count
    }
}
