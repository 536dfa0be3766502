/// Tells the customer of an event.
package struct NotificationStage<Event: PipelineEvent>: Stage {
    package let queue: PipelineQueue
    private let effect: Effect
    private let notifier: any Notifier
    private let metrics: NotificationMetrics
    private let notice: @Sendable (Event) -> Notification

    private init(
        _ queue: PipelineQueue, _ effect: Effect, _ notifier: any Notifier, _ metrics: NotificationMetrics,
        notice: @escaping @Sendable (Event) -> Notification
    ) {
        self.queue = queue
        self.effect = effect
        self.notifier = notifier
        self.metrics = metrics
        self.notice = notice
    }

    package func handle(_ event: Event, of identity: OrderIdentity) async throws -> StageAnswer? {
        let notification = notice(event)
        try await notifier.send(notification, idempotencyKey: identity.messageID(of: Event.kind))
        return StageAnswer(effect, report: .notified(notification, identity)) {
            metrics.sent(notification.kind)
        }
    }
}

extension NotificationStage<Order> {
    package static func orders(_ notifier: any Notifier, _ metrics: NotificationMetrics) -> Self {
        Self(.orderNotices, .orderNotified, notifier, metrics) { Notification(of: $0) }
    }
}

extension NotificationStage<Payment> {
    package static func payments(_ notifier: any Notifier, _ metrics: NotificationMetrics) -> Self {
        Self(.paymentNotices, .paymentNotified, notifier, metrics) { Notification(of: $0) }
    }
}

extension NotificationStage<Shipment> {
    package static func shipments(_ notifier: any Notifier, _ metrics: NotificationMetrics) -> Self {
        Self(.shipmentNotices, .shipmentNotified, notifier, metrics) { Notification(of: $0) }
    }
}
