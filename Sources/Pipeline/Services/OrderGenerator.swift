package import ActorBus
import Logging

/// Makes orders: writes each down, publishes it, and marks it when the broker has confirmed.
///
/// What an earlier run wrote down and was not confirmed is published again at the start, under the same `message_id`.
package struct OrderGenerator: PipelineService {
    /// Orders unconfirmed at once.
    private static let window = 1_000
    /// Groups of orders that are being published at once; with `GeneratorPlan.mostAtOnce` they fill the window.
    private static let groupsAtOnce = 16
    /// A larger batch is written down in several groups, so that room is asked for in between.
    private static let mostInGroup = 2 * GeneratorPlan.mostAtOnce
    /// Of what the broker refuses: without end, since an order that is written down has to reach it.
    private static let refusals = RetryPolicy(attempts: .max, first: .milliseconds(100), longest: .seconds(5))

    private let context: ServiceContext
    private let plan: GeneratorPlan
    private let outbox: OrderOutbox
    private let metrics: GeneratorMetrics
    private let patience: Duration
    private let waitForRoom: @Sendable () async -> Void

    /// - Parameters:
    ///   - outbox: where orders are written down; open for as long as this runs.
    ///   - patience: how long a missing right to publish is waited for before the service ends.
    ///   - waitForRoom: awaited before orders are made, at most 128 at a time, so that whoever counts them can hold the
    ///     generator back; has to return when its task is cancelled.
    package init(
        _ context: ServiceContext, plan: GeneratorPlan, outbox: OrderOutbox, patience: Duration = .seconds(60),
        waitForRoom: @escaping @Sendable () async -> Void = {}
    ) {
        self.context = context
        self.plan = plan
        self.outbox = outbox
        self.patience = patience
        self.waitForRoom = waitForRoom
        metrics = GeneratorMetrics(factory: context.registry, now: { [world = context.world] in world.monotonicTime })
    }

    /// Runs until its task is cancelled, or the plan's maximum is confirmed.
    ///
    /// Throws `StateError` beside what every service throws.
    package func run(on broker: ConnectionConfiguration) async throws {
        try await context.withConnections(1, to: broker) { connections in
            let publisher = try await connections.publisher(window: Self.window)
            try await withDrain(within: context.drain) { signal in
                try await work(
                    publisher, PatientPublisher(publisher, patience: patience, logger: context.logger), signal)
            }
        }
    }

    private func work(
        _ publisher: EventPublisher, _ patient: PatientPublisher, _ stop: StopSignal
    ) async throws {
        // Given by the first failure too, so that it is heard of wherever the work waits.
        let signal = StopSignal(in: context.world)
        stop.onStop { signal.stop() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var inWork = 0
            func publish(_ orders: [RecordedOrder]) async throws {
                if inWork == Self.groupsAtOnce {
                    try await group.next()
                    inWork -= 1
                }
                inWork += 1
                group.addTask {
                    do {
                        try await self.publish(orders, publisher, patient)
                    } catch {
                        signal.stop()
                        throw error
                    }
                }
            }

            var last = Int64.min
            while !signal.isStopped {
                let left = try await outbox.unconfirmed(after: last, limit: Int(GeneratorPlan.mostAtOnce))
                guard let newest = left.last else { break }
                last = newest.orderID
                context.logger.notice(
                    "Publishing again what an earlier run wrote down", metadata: ["orders": "\(left.count)"])
                try await publish(left)
            }

            context.logger.info("Generating orders")
            let world = context.world
            var random = world.randomness
            var made: Int64 = 0
            func isDone() -> Bool { signal.isStopped || plan.maximum.map { made >= $0 } ?? false }
            while !isDone() {
                let (count, wait) = plan.next(after: made, using: &random)
                var left = count
                while left > 0, !signal.isStopped {
                    try await signal.untilStopped(waitForRoom)
                    if signal.isStopped { break }
                    let orders = try await outbox.writeDown(count: Int(min(left, Self.mostInGroup))) {
                        var random = world.randomness
                        return plan.order($0, at: world.timestamp, using: &random)
                    }
                    left -= Int64(orders.count)
                    made += Int64(orders.count)
                    for order in orders { context.observer(.placing(order.identity)) }
                    try await publish(orders)
                }
                // After the last order there is nothing to wait for.
                if wait > .zero, !isDone() { await signal.sleep(for: wait) }
            }
            // Not to wait for the others once one has failed.
            for try await _ in group {}
        }
    }

    /// Publishes orders side by side, and marks them when all of them are confirmed.
    private func publish(
        _ orders: [RecordedOrder], _ publisher: EventPublisher, _ patient: PatientPublisher
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for order in orders {
                group.addTask { try await publish(order, publisher, patient) }
            }
            for try await _ in group {}
        }
        try await outbox.markConfirmed(orders.map(\.orderID))
    }

    private func publish(
        _ recorded: RecordedOrder, _ publisher: EventPublisher, _ patient: PatientPublisher
    ) async throws {
        let order = try Order(json: recorded.body)
        let eventContext = EventContext(
            identity: recorded.identity, orderTime: recorded.time, trace: TraceContext(in: context.world))
        var message = publisher.message(of: order, eventContext)
        message.body = recorded.body
        try await patient.publish(
            message, to: .exchange(PipelineExchange.orders.rawValue), refusals: Self.refusals,
            ["order_id": .stringConvertible(order.orderID)])
        metrics.confirmed()
        context.metrics.effect(after: .milliseconds(context.world.timestamp.milliseconds - recorded.time.milliseconds))
        context.observer(.ordered(order, recorded.identity))
    }
}
