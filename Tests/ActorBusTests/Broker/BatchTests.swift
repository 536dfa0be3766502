import Testing

@testable import ActorBus

/// A bounded number of messages, taken by a consumer that is gone before any is settled.
@Suite(.timeLimit(.minutes(5))) struct BatchTests {
    private static func names(_ deliveries: [Delivery]) -> [String] {
        deliveries.map { String(decoding: $0.body, as: UTF8.self) }
    }

    /// A quorum queue counts in `x-delivery-count` what was handed out before: nothing is, but for what was held.
    @Test func noMoreIsHandedOutThanIsTaken() async throws {
        try await withQueue("batch", arguments: ["x-queue-type": "quorum"]) { connection, queue in
            try await connection.fill(queue, 10)
            let taken = Lock<[String]>([])
            for _ in 0..<3 {
                let held = try await connection.withBatch(of: 2, from: queue) { deliveries in
                    taken.withLock { $0 += Self.names(deliveries) }
                    for delivery in deliveries { delivery.acknowledge() }
                }
                #expect(held == nil)
                let depth = try await connection.inspect(queue: queue)
                #expect(depth.messages == 10 - UInt32(taken.withLock { $0.count }) && depth.consumers == 0)
            }
            _ = try await connection.withBatch(of: 4, from: queue) { deliveries in
                taken.withLock { $0 += Self.names(deliveries) }
                #expect(deliveries.allSatisfy { !$0.redelivered && $0.properties.headers["x-delivery-count"] == nil })
                for delivery in deliveries { delivery.acknowledge() }
            }
            #expect(Set(taken.withLock { $0 }).count == 10)
        }
    }

    @Test func whatIsNotSettledIsHeldUntilItIsPutBack() async throws {
        try await withQueue("held") { connection, queue in
            try await connection.fill(queue, 5)
            let held = try await connection.withBatch(of: 3, from: queue) { $0[1].acknowledge() }
            #expect(try await connection.inspect(queue: queue).messages == 2)
            await connection.putBack(try #require(held))
            try await connection.settles(at: 4, queue)
        }
    }

    @Test func fewerThanAskedForAreTakenWhereThereAreNoMore() async throws {
        try await withQueue("few") { connection, queue in
            try await connection.fill(queue, 2)
            let count = Lock(0)
            let held = try await connection.withBatch(of: 5, from: queue, patience: .milliseconds(20)) { deliveries in
                count.withLock { $0 = deliveries.count }
                for delivery in deliveries { delivery.acknowledge() }
            }
            #expect(held == nil && count.withLock { $0 } == 2)
            #expect(try await connection.inspect(queue: queue) == QueueDepth(messages: 0, consumers: 0))
        }
    }

    @Test func whatTheBodyThrowsPutsBackTheRest() async throws {
        struct Refusal: Error {}
        try await withQueue("thrown") { connection, queue in
            try await connection.fill(queue, 3)
            await #expect(throws: Refusal.self) {
                _ = try await connection.withBatch(of: 3, from: queue) { deliveries in
                    deliveries[0].acknowledge()
                    throw Refusal()
                }
            }
            try await connection.settles(at: 2, queue)
        }
    }

    /// Settlements that the broker never took are not passed off as done, whether some are missing or all were made.
    @Test(arguments: [1, 3]) func aChannelThatIsLostIsNoticed(settled: Int) async throws {
        try await withQueue("lost") { connection, queue in
            try await connection.fill(queue, 3)
            let error = await #expect(throws: AMQPError.self) {
                _ = try await connection.withBatch(of: 3, from: queue) { deliveries in
                    try await connection.loseSession()
                    for delivery in deliveries.prefix(settled) { delivery.acknowledge() }
                }
            }
            #expect(error?.code == .connectionLost)
            try await connection.settles(at: 3, queue)
        }
    }
}

extension AMQPConnection {
    /// Breaks the connection as a reset does, and returns when it has come back.
    fileprivate func loseSession() async throws {
        let lost = try #require(session)
        lose(lost, AMQPError(.connectionLost, "cut by the test"))
        _ = try await openSession()
    }
}
