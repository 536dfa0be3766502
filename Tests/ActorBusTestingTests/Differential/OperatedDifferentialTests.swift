import Glibc
import LocalBroker
import Testing

@testable import ActorBusTesting

/// The simulated broker beside a real one while an operator is at work: kills, alarms, permissions, limits.
///
/// `make differential` runs them; they start brokers of their own, and take a minute or two.
@Suite(.serialized, .enabled(if: DifferentialTests.variable("DIFFERENTIAL_OPERATED") != nil))
struct OperatedDifferentialTests {
    private let quorum: Operation.Arguments = [("x-queue-type", .text("quorum"))]

    private func publish(_ body: String, to queue: String, isPersistent: Bool = true) -> Operation {
        .publish("", key: queue, mandatory: true, .init(isPersistent: isPersistent), body: body)
    }

    @Test func aRestartKeepsWhatIsDurable() async throws {
        let broker = try await LocalBroker.start()
        let pair = try OperatedPair(broker)
        let client = try pair.client()
        try pair.say(
            .openChannel, .confirms, .declareExchange("kept", type: "fanout"),
            .declareExchange("lost", type: "fanout", flags: []), .declareQueue("classic"),
            .declareQueue("transient", flags: []), .declareQueue("auto", flags: [.durable, .autoDelete]),
            .declareQueue("priorities", [("x-max-priority", .int(3))]), .declareQueue("quorum", quorum),
            .bindQueue("classic", to: "kept", key: ""), .bindQueue("classic", to: "lost", key: ""), by: client)
        for queue in ["classic", "auto", "priorities", "quorum"] {
            for body in ["one", "two", "three", "four"] { try pair.say(publish(body, to: queue), by: client) }
            try pair.say(publish("transient", to: queue, isPersistent: false), by: client)
        }
        // One that is settled, one that is not, one that came back.
        for (index, queue) in ["classic", "priorities", "quorum"].enumerated() {
            let tag = UInt64(3 * index + 1)
            try pair.say(
                .get(queue, noAck: false), .get(queue, noAck: false), .get(queue, noAck: false),
                .ack(tag, multiple: false), .nack(tag + 1, multiple: false, requeue: true), by: client)
        }
        // Acknowledgments are written in the broker's own time, and nothing tells when.
        usleep(2_000_000)
        try await pair.kill(node: 0)
        try await pair.start(node: 0)
        let second = try pair.client()
        try pair.say(.openChannel, by: second)
        for queue in ["classic", "auto", "priorities", "quorum"] {
            try pair.settle(.inspectQueue(queue), by: second)
            for _ in 0..<6 { try pair.say(.get(queue, noAck: true), by: second) }
        }
        try pair.say(.publish("kept", key: "", mandatory: true, .init(), body: "routed"), by: second)
        try pair.settle(.inspectQueue("classic"), by: second)
        try pair.say(.inspectQueue("transient"), .openChannel, by: second)
        try pair.say(.publish("lost", key: "", mandatory: false, .init(), body: "x"), by: second)
        let third = try pair.client()
        try pair.say(.openChannel, by: third)
        try pair.settle(.inspectQueue("classic"), by: third)
        await broker.stop()
    }

    @Test func alarmsBlockWhoPublishes() async throws {
        let broker = try await LocalBroker.start()
        let pair = try OperatedPair(broker)
        let client = try pair.client()
        try pair.say(.openChannel, .confirms, .declareQueue("q"), by: client)
        try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "absolute", "1"])
        pair.model.set(.memory, true)
        try pair.say(publish("held", to: "q"), by: client)
        try await broker.rabbitmqctl(["set_disk_free_limit", "900GB"])
        pair.model.set(.disk, true)
        try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0.9"])
        pair.model.set(.memory, false)
        let other = try pair.client()
        try pair.say(.openChannel, publish("held too", to: "q"), by: other)
        try await broker.rabbitmqctl(["set_disk_free_limit", "1MB"])
        pair.model.set(.disk, false)
        try pair.compare(client, after: "the end of the alarms")
        try pair.compare(other, after: "the end of the alarms")
        try pair.settle(.inspectQueue("q"), by: client)
        await broker.stop()
    }

    @Test func usersMayDoWhatTheyMay() async throws {
        let broker = try await LocalBroker.start()
        let pair = try OperatedPair(broker)
        let permissions = [
            "reader": ("^$", "^$", ".*"), "writer": ("", "^(e|amq\\.default)", ""), "owner": ("^(q|e)", ".*", "^q"),
        ]
        for (user, allowed) in permissions.sorted(by: { $0.key < $1.key }) {
            try await broker.rabbitmqctl(["add_user", user, user])
            try await broker.rabbitmqctl(["set_permissions", user, allowed.0, allowed.1, allowed.2])
            pair.model.users[user] = BrokerUser(
                name: user, password: user,
                permissions: ["/": .init(configure: allowed.0, write: allowed.1, read: allowed.2)])
        }
        let guest = try pair.client()
        try pair.say(
            .openChannel, .declareQueue("q"), .declareQueue("other"), .declareExchange("e", type: "fanout"),
            publish("x", to: "q"), by: guest)
        let operations: [Operation] = [
            .declareQueue("q"), .declareQueue("q2"), .declareQueue("other2"), .inspectQueue("other"),
            .declareExchange("amq.topic", type: "topic", flags: [.passive]),
            .declareExchange("e", type: "topic", flags: [.passive]),
            .declareExchange("e2", type: "direct"), .declareExchange("amq.topic", type: "topic"),
            .declareExchange("x", type: "direct"), .deleteExchange("e2", ifUnused: false),
            .bindQueue("q", to: "e", key: ""), .bindQueue("other", to: "e", key: ""),
            .unbindQueue("q", from: "e", key: ""), .bindExchange("e", to: "amq.topic", key: ""), .purge("other"),
            .declareQueue("q3", [("x-dead-letter-exchange", .text("amq.topic"))]),
            .declareExchange("e3", type: "direct", [("alternate-exchange", .text("e"))]),
            .publish("", key: "q", mandatory: false, .init(), body: "x"),
            .publish("e", key: "", mandatory: false, .init(), body: "x"),
            .publish("amq.fanout", key: "", mandatory: false, .init(), body: "x"), .get("other", noAck: true),
            .consume("q", tag: "c", noAck: true, exclusive: false, []), .deleteQueue("q2"), .deleteQueue("other"),
        ]
        for user in permissions.keys.sorted() {
            for operation in operations {
                let client = try pair.client(user: user)
                // A flow is answered where the channel lives.
                try pair.say(.openChannel, operation, by: client)
                _ = try? pair.say(.flow, by: client)
            }
        }
        await broker.stop()
    }

    @Test func whatIsTooLargeAndWhatIsDeletedAndWhatIsClosed() async throws {
        let broker = try await LocalBroker.start(LocalBrokerOptions(configuration: ["max_message_size": "1000"]))
        let pair = try OperatedPair(broker)
        pair.model.maximumMessageSize = 1000
        let client = try pair.client()
        try pair.say(.openChannel, .declareQueue("q"), by: client)
        try pair.say(publish(String(repeating: "x", count: 1000), to: "q"), by: client)
        try pair.say(publish(String(repeating: "x", count: 1001), to: "q"), by: client)
        try pair.say(.openChannel, .consume("q", tag: "c", noAck: true, exclusive: false, []), by: client)
        try await broker.rabbitmqctl(["delete_queue", "q"])
        if let host = pair.model.hosts["/"], let queue = host.queues["q"] { host.delete(queue) }
        try pair.compare(client, after: "delete_queue")
        try await broker.rabbitmqctl(["close_all_connections", "for the test"])
        pair.model.closeAllConnections(reason: "for the test")
        try pair.compare(client, after: "close_all_connections")
        await broker.stop()
    }

    @Test func aQuorumQueueTakesBackWhatIsNotSettledInTime() async throws {
        let broker = try await LocalBroker.start()
        let pair = try OperatedPair(broker)
        guard pair.model.version.queuesHaveConsumerTimeouts else { return await broker.stop() }
        let client = try pair.client()
        try pair.say(
            .openChannel, .confirms, .declareQueue("q", quorum + [("x-consumer-timeout", .int(1500))]),
            publish("one", to: "q"), publish("two", to: "q"), publish("three", to: "q"), .prefetch(2),
            .consume("q", tag: "c", noAck: false, exclusive: false, []), by: client)
        usleep(1_500_000)
        pair.model.advance(to: 1500)
        try pair.compare(client, after: "the time-out")
        try pair.settle(.inspectQueue("q"), by: client)
        try pair.say(.ack(1, multiple: false), by: client)
        try pair.say(.ack(2, multiple: false), by: client)
        try pair.say(.ack(3, multiple: false), by: client)
        try pair.say(.cancel("c"), by: client)
        try pair.settle(.inspectQueue("q"), by: client)
        try pair.say(.get("q", noAck: false), by: client)
        await broker.stop()
    }

    @Test func aClassicQueueIsAwayWithItsNodeAndAQuorumQueueIsNot() async throws {
        let broker = try await LocalBroker.start(LocalBrokerOptions(nodes: 3))
        let pair = try OperatedPair(broker)
        let home = try pair.client(node: 1)
        try pair.say(
            .openChannel, .confirms, .declareQueue("classic"), .declareQueue("quorum", quorum),
            .declareQueue("transient", flags: [.autoDelete]), publish("one", to: "classic"),
            publish("one", to: "quorum"), by: home)
        // Publisher and consumer are two, since a confirm and a delivery of one message come in any order.
        let consumer = try pair.client()
        try pair.say(.openChannel, by: consumer)
        for queue in ["classic", "quorum", "transient"] {
            try pair.say(.consume(queue, tag: queue, noAck: false, exclusive: false, []), by: consumer)
        }
        // The first message of a channel is refused while a quorum queue has no leader.
        let client = try pair.client()
        try pair.say(.openChannel, .confirms, publish("two", to: "quorum"), by: client)
        try pair.compare(consumer, after: "the second message")
        try await pair.kill(node: 1)
        try pair.compare(consumer, after: "the kill")
        try pair.say(publish("three", to: "quorum"), publish("two", to: "classic"), by: client)
        try pair.compare(consumer, after: "the third message")
        try pair.say(.ack(1, multiple: false), by: consumer)
        try pair.settle(.inspectQueue("quorum"), by: client)
        try pair.say(.inspectQueue("classic"), by: client)
        if pair.model.version.waitsForAbsentQueues {
            pair.model.advance(to: pair.model.now + 62_000)
            try pair.compare(client, after: "a minute")
            try pair.say(.openChannel, by: client)
        } else {
            try pair.say(.openChannel, .declareQueue("classic"), by: client)
            try pair.say(.openChannel, .get("classic", noAck: true), by: client)
            try pair.say(.openChannel, .deleteQueue("classic"), by: client)
            try pair.say(.openChannel, by: client)
        }
        try await pair.start(node: 1)
        let last = try pair.client(node: 2)
        try pair.say(.openChannel, by: last)
        try pair.settle(.inspectQueue("classic"), by: last)
        try pair.say(.get("classic", noAck: true), by: last)
        await broker.stop()
    }
}
