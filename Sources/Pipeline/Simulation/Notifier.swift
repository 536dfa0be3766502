/// Whoever sends notices to customers.
package protocol Notifier: Sendable {
    /// Sends a notice. The key is the same for the same notice, however often it is sent: the `message_id` of its
    /// event.
    ///
    /// Ends with `CancellationError` when the task is cancelled; any other error is a failure for now, to be tried
    /// again. Must not block its thread.
    func send(_ notification: Notification, idempotencyKey: String) async throws
}

/// A notifier whose notices go to a function, such as one that writes a log.
package struct SimulatedNotifier: Notifier {
    private let deliver: @Sendable (Notification) -> Void

    /// A notifier; `deliver` is called on the sender's task and must not block.
    package init(deliver: @escaping @Sendable (Notification) -> Void) {
        self.deliver = deliver
    }

    package func send(_ notification: Notification, idempotencyKey: String) async throws {
        deliver(notification)
    }
}
