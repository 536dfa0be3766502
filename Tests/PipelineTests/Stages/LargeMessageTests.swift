import Foundation
import LocalBroker
import Logging
import Testing

@testable import ActorBus
@testable import Pipeline

/// A payment that no broker with a small limit takes.
private struct LargePayment: PipelineEvent {
    static let kind = EventKind.payment
    static let exchange = PipelineExchange.payments
    let orderID: Int64
    let timestamp = Timestamp.now()

    init(orderID: Int64) { self.orderID = orderID }
    init(json body: [UInt8]) throws(MalformedMessage) { orderID = try Order(json: body).orderID }
    func encoded() -> [UInt8] { [UInt8](repeating: 7, count: 5000) }
    var derivedIdentity: OrderIdentity { OrderIdentity("\(orderID)") }
}

private struct PromptStage: Stage {
    let queue = PipelineQueue.payment

    func handle(_ order: Order, of identity: OrderIdentity) async throws -> StageAnswer? {
        let payment = Payment(
            of: order,
            answer: ChargeAnswer(
                outcome: .charged, method: .paypal, processingTime: ProcessingTime(milliseconds: 1)), at: .now())
        return StageAnswer(
            .paymentProcessed, publish: LargePayment(orderID: order.orderID), report: .paid(payment, identity)
        ) {}
    }
}

// In the suite that changes the broker's limit of a message's size, so that nothing of it runs beside that.
extension FailureRouterTests {
    @Test(.timeLimit(.minutes(1))) func `an event that is too large for the broker is no refusal of the exchange`()
        async throws
    {
        let broker = try await StageBroker.shared.value
        try await broker.limitMessages(to: 1000)
        do {
            try await StageScene.with { scene in
                try await scene.running(PromptStage()) { _ in
                    // Over a channel of its own: a refusal closes the stage's, and an order whose confirm was still to
                    // come there would be published again, rightly.
                    let orders = try await scene.connection.publisher()
                    try await orders.publish(StageScene.order(1), to: "orders")
                    try await scene.waits(for: 1, in: "\(Self.queue).dlq")
                }
                #expect(scene.publisher.refusal == nil)
            }
        } catch {
            try await broker.limitMessages(to: 128 << 20)
            throw error
        }
        try await broker.limitMessages(to: 128 << 20)
    }

    /// Runs a stage over a connection whose spool has no folder yet.
    private static func spooling(
        _ scene: StageScene, in folder: String, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        var configuration = scene.connection.configuration
        configuration.spool = BodySpool(threshold: 1 << 20, folder: folder)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await withConnection(to: configuration, logger: logger) { connection in
            let runner = StageRunner(
                PromptStage(), publisher: scene.publisher, effects: SharedEffects(),
                metrics: scene.metrics, workInHand: scene.workInHand, observer: scene.observer,
                policy: StageScene.policy, logger: logger)
            let task = Task {
                try await runner.run(on: connection, Intake(prefetch: 1, concurrency: 1), DrainTime(.seconds(5)))
            }
            defer { task.cancel() }
            try await body()
        }
    }

    private static let largeBody = [UInt8](repeating: 7, count: 2 << 20)

    @Test(.timeLimit(.minutes(1))) func `a large body for which there is no room for now is kept when there is`()
        async throws
    {
        let folder = "/var/tmp/pipeline-spool-\(UInt32.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await StageScene.with { scene in
            try await scene.publisher.publish(Message(body: Self.largeBody), to: StageScene.exchange)
            try await Self.spooling(scene, in: folder) {
                try await eventually("it goes back") { scene.settled("requeued") == 1 }
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
                try await scene.waits(for: 1, in: "\(Self.queue).dlq")
            }
            let letter = try await scene.take(from: "\(Self.queue).dlq")
            #expect(letter.properties.headers["x-buried-as"] == nil)
            #expect(letter.body == Self.largeBody)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a quorum queue moves a large body that cannot be kept as it is`() async throws
    {
        try await StageScene.with { topology in
            topology = PipelineTopology.all(.quorum, delays: StageScene.policy.delays)
        } _: { scene in
            try await scene.publisher.publish(Message(body: Self.largeBody), to: StageScene.exchange)
            try await Self.spooling(scene, in: "/nowhere") {
                try await scene.waits(for: 1, in: "\(Self.queue).dlq")
            }
            #expect(scene.settled("requeued") == 0 && scene.settled("dead_lettered") == 1)
            let letter = try await scene.take(from: "\(Self.queue).dlq")
            #expect(letter.body == Self.largeBody)
        }
    }

    @Test func `a body that never can be kept comes back a few times only`() {
        let body = LargeBody(size: 5, sha256: "a", fault: "the disk is full")
        let bodies = UnkeptBodies(isDeadLettered: false)
        for pause in UnkeptBodies.pauses { #expect(bodies.step(for: body) == .requeue(after: pause)) }
        #expect(bodies.step(for: body) == nil)
        #expect(UnkeptBodies.pauses.reduce(.zero, +) == .seconds(30))
        #expect(UnkeptBodies(isDeadLettered: true).step(for: body) == .reject)
    }
}
