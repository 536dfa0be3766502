import LocalBroker
import Testbed
import Testing

@testable import ActorBus

/// Faults that hurt everybody on the broker: on one of their own, one after the other.
@Suite(.logsOnFailure, .serialized, .timeLimit(.minutes(5))) struct FaultTests {
    /// Who published what, and what came of it.
    private final class Books: Sendable {
        private let state = Lock<(confirmed: Set<String>, unknown: Set<String>, others: [String])>(([], [], []))

        var confirmed: Set<String> { state.withLock { $0.confirmed } }
        var unknown: Set<String> { state.withLock { $0.unknown } }
        var others: [String] { state.withLock { $0.others } }

        func publish(_ id: String, _ publisher: Publisher, _ queue: String) async {
            do {
                try await publisher.publish(
                    Message(text: id, properties: .init(messageID: id)), to: "", routingKey: queue)
                state.withLock { _ = $0.confirmed.insert(id) }
            } catch let error as AMQPError where error.code == .maybePublished {
                state.withLock { _ = $0.unknown.insert(id) }
            } catch {
                state.withLock { $0.others.append("\(id): \(error)") }
            }
        }
    }

    /// Which of the messages are not in the queue; it is emptied.
    private func missing(
        of wanted: Set<String>, in queue: String, _ configuration: ConnectionConfiguration
    ) async throws -> Set<String> {
        let missing = Lock(wanted)
        try await withConnection(to: configuration) { connection in
            let found = Gate()
            let reader = Task {
                for try await delivery in connection.deliveries(from: queue, prefetch: 100) {
                    delivery.acknowledge()
                    let isLast = missing.withLock { missing in
                        missing.remove(delivery.properties.messageID ?? "") != nil && missing.isEmpty
                    }
                    if isLast { found.open() }
                }
            }
            // Overdue means that some are missing, which the caller says better.
            try? await within(.seconds(10), "all messages") { await found.pass() }
            reader.cancel()
            _ = await reader.result
        }
        return missing.withLock { $0 }
    }

    @Test func anOperatorThatClosesEveryConnectionIsSurvived() async throws {
        let broker = try await SharedBroker.tormented.value
        let queue = unique("operator")
        try await withConnection(to: broker.configuration, topology: Topology { Queue(queue) }) { connection in
            let (received, books) = (Lock<Set<[UInt8]>>([]), Books())
            let reader = Task {
                for try await delivery in connection.deliveries(from: queue, prefetch: 10) {
                    delivery.acknowledge()
                    received.withLock { _ = $0.insert(delivery.body) }
                }
            }
            let publisher = try await connection.publisher(window: 20)
            let publishing = Task {
                var number = 0
                while !Task.isCancelled {
                    await withDiscardingTaskGroup { group in
                        for _ in 0..<20 {
                            number += 1
                            let id = "\(number)"
                            group.addTask { await books.publish(id, publisher, queue) }
                        }
                    }
                }
            }
            for round in 1...2 as ClosedRange<UInt64> {
                try await broker.rabbitmqctl(["close_all_connections", "a test"])
                let status = try await connection.status("recovered \(round) times") {
                    $0.recoveries >= round && $0.isReady
                }
                #expect(status.registeredConsumers == 1)
            }
            publishing.cancel()
            await publishing.value
            // Cancellation makes what was on its way at the end unknown; nothing else is.
            #expect(books.others.allSatisfy { $0.contains("CancellationError") }, "\(books.others)")
            try await eventually("all that was confirmed has come") {
                received.withLock { $0 }.isSuperset(of: books.confirmed.map { Array($0.utf8) })
            }
            reader.cancel()
            _ = await reader.result
        }
    }

    @Test func aBrokerKilledInTheMiddleLosesNothingThatWasConfirmed() async throws {
        let broker = try await SharedBroker.tormented.value
        let queue = unique("killed")
        let books = Books()
        var beforeTheKill: Set<String> = []
        try await withConnection(to: broker.configuration, topology: Topology { Queue(queue) }) { connection in
            // Else the broker may come back without the queue, which it has written down in a buffer only.
            try await broker.rabbitmqctl(["eval", "mnesia:sync_log()."])
            let publisher = try await connection.publisher(window: 50, timeout: .seconds(60))
            let half = Gate()
            let done = Tally()
            let publishing = Task {
                await withDiscardingTaskGroup { group in
                    for worker in 0..<50 {
                        group.addTask {
                            for number in 0..<10 {
                                await books.publish("\(worker)-\(number)", publisher, queue)
                                if done.add() == 150 { half.open() }
                            }
                        }
                    }
                }
            }
            await half.pass()
            beforeTheKill = books.confirmed
            try await broker.kill(node: 0)
            try await connection.status("the loss is noticed") { $0.state == .recovering }
            try await broker.restart(node: 0)
            try await connection.status(within: .seconds(40), "the connection is back") {
                $0.recoveries == 1 && $0.isReady
            }
            await publishing.value
        }
        #expect(books.others.isEmpty, "\(books.others)")
        #expect(books.confirmed.count + books.unknown.count == 500)
        #expect(books.unknown.isEmpty, "with time enough each is published again")
        let missing = try await missing(of: books.confirmed, in: queue, broker.configuration)
        let early = missing.intersection(beforeTheKill).count
        #expect(
            missing.isEmpty,
            "\(missing.count) of \(books.confirmed.count) confirmed messages are lost, \(early) of them from before the kill"
        )
    }

    @Test func aFrozenBrokerIsNoticedByItsSilence() async throws {
        let broker = try await SharedBroker.tormented.value
        var configuration = broker.configuration
        configuration.heartbeat = .seconds(2)
        configuration.connectTimeout = .seconds(2)
        let queue = unique("frozen")
        try await withConnection(to: configuration, topology: Topology { Queue(queue) }) { connection in
            let publisher = try await connection.publisher(timeout: .seconds(3))
            try broker.freeze(node: 0)
            defer { try? broker.thaw(node: 0) }
            let begin = ContinuousClock.now
            let publish = Task { try await publisher.publish(Message(text: "m"), to: "", routingKey: queue) }
            try await connection.status(within: .seconds(10), "the silence is noticed") { $0.state == .recovering }
            let noticed = ContinuousClock.now - begin
            #expect(noticed < .seconds(6), "three times the heartbeat")
            #expect(
                try await failure("a publish to a frozen broker") { try await publish.value }.code == .maybePublished)
            try broker.thaw(node: 0)
            try await connection.status(within: .seconds(30), "the connection is back") {
                $0.recoveries == 1 && $0.isReady
            }
            try await publisher.publish(Message(text: "m"), to: "", routingKey: queue)
        }
    }

    /// A publish that must wait for the alarm to end, and a consumer on another connection that does not.
    @Test func aMemoryAlarmBlocksPublishersAndNotConsumers() async throws {
        let broker = try await SharedBroker.tormented.value
        let queue = unique("alarm")
        try await withConnection(to: broker.configuration, topology: Topology { Queue(queue) }) { publishing in
            try await publishing.fill(queue, 100)
            try await withConnection(to: broker.configuration) { consuming in
                let publisher = try await publishing.publisher()
                try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0.0001"])
                do {
                    // Only a connection that publishes is told.
                    let publish = Task { try await publisher.publish(Message(text: "late"), to: "", routingKey: queue) }
                    let status = try await publishing.status("blocked") { $0.blocked != nil }
                    #expect(status.state == .open)
                    let held = Task { try await publisher.publish(Message(text: "later"), to: "", routingKey: queue) }
                    var deliveries = consuming.deliveries(from: queue, prefetch: 10).makeAsyncIterator()
                    for _ in 0..<100 { try #require(try await deliveries.next()).acknowledge() }
                    #expect(publishing.status.blocked != nil)
                    // A publish with little time ends, blocked or not.
                    let hasty = try await publishing.publisherWhileBlocked(timeout: .milliseconds(200))
                    if let hasty {
                        let error = try await failure("a publish with little time") {
                            try await hasty.publish(Message(text: "hasty"), to: "", routingKey: queue)
                        }
                        #expect([.timedOut, .maybePublished].contains(error.code))
                    }
                    try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0.4"])
                    try await publishing.status("free again") { $0.blocked == nil && $0.state == .open }
                    try await within(.seconds(20), "the publishes that waited") {
                        try await publish.value
                        try await held.value
                    }
                    for _ in 0..<2 { try #require(try await deliveries.next()).acknowledge() }
                } catch {
                    try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0.4"])
                    throw error
                }
            }
        }
    }

    @Test func aConnectionThatStaysBlockedIsReplaced() async throws {
        let broker = try await SharedBroker.tormented.value
        let queue = unique("blocked")
        var configuration = broker.configuration
        configuration.blockedTimeout = .seconds(1)
        try await withConnection(to: configuration, topology: Topology { Queue(queue) }) { connection in
            let publisher = try await connection.publisher()
            try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0.0001"])
            let publish = Task { try await publisher.publish(Message(text: "m"), to: "", routingKey: queue) }
            let result: Result<ConnectionStatus, any Error>
            do {
                let status = try await connection.status("replaced") { $0.state == .recovering || $0.recoveries > 0 }
                result = .success(status)
            } catch {
                result = .failure(error)
            }
            try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0.4"])
            #expect(try result.get().problem?.contains("blocked") != false)
            try await connection.status(within: .seconds(40), "recovered") { $0.recoveries > 0 && $0.isReady }
            try await within(.seconds(20), "the publish") { try await publish.value }
        }
    }
}

extension AMQPConnection {
    /// A publisher, unless the broker, which reads nothing now, does not answer soon.
    fileprivate func publisherWhileBlocked(timeout: Duration) async throws -> Publisher? {
        try? await ActorBusTests.within(.milliseconds(500), "a channel") { try await self.publisher(timeout: timeout) }
    }
}
