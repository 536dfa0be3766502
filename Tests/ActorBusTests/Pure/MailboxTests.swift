import Testing

@testable import ActorBus

@Suite(.timeLimit(.minutes(5))) struct MailboxTests {
    private let thread: BlockingThread
    private let inbox: Inbox

    init() throws {
        thread = try BlockingThread(name: "mailbox-test")
        inbox = Inbox(waking: thread.waker)
    }

    private func delivery(_ tag: UInt64) -> Delivery {
        Delivery(
            message: Message(body: []),
            header: .init(deliveryTag: tag, redelivered: false, exchange: "", routingKey: ""),
            headersFault: nil, channel: ConsumerChannel(consumer: 1, generation: 1, prefetch: 1), inbox: inbox)
    }

    @Test func handsOutInOrderThenEnds() async throws {
        let mailbox = Mailbox()
        #expect(mailbox.put([delivery(1), delivery(2)]))
        #expect(try await mailbox.next()?.deliveryTag == 1)
        #expect(mailbox.close().map(\.deliveryTag) == [2])
        #expect(try await mailbox.next() == nil)
        #expect(!mailbox.put([delivery(3)]))
    }

    @Test func aFailureIsThrownToEveryReader() async throws {
        let mailbox = Mailbox()
        let readers = (0..<5).map { _ in Task { try await mailbox.next() } }
        _ = mailbox.fail(AMQPError(.notFound, "gone"))
        for reader in readers {
            let result = try await within(.seconds(5), "a reader's end") { await reader.result }
            #expect(throws: AMQPError.self) { try result.get() }
        }
    }

    @Test func purgeDropsWhatWasNotHandedOut() async throws {
        let mailbox = Mailbox()
        _ = mailbox.put([delivery(1), delivery(2)])
        mailbox.purge()
        _ = mailbox.put([delivery(7)])
        #expect(try await mailbox.next()?.deliveryTag == 7)
    }

    /// Readers are cancelled while deliveries come: each delivery goes to one reader, or comes back at the end; none is lost or twice.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func nothingIsLostToCancelledReaders(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let mailbox = Mailbox()
        let count: UInt64 = 400
        let readers = (0..<16).map { _ in
            Task {
                var tags: [UInt64] = []
                while let delivery = try await mailbox.next() { tags.append(delivery.deliveryTag) }
                return tags
            }
        }
        var next: UInt64 = 1
        for (index, reader) in readers.enumerated() {
            for _ in 0..<25 {
                _ = mailbox.put([delivery(next)])
                next += 1
            }
            if index < 12, Bool.random(using: &random) { await Task.yield() }
            if index < 12 { reader.cancel() }
        }
        #expect(next == count + 1)
        var seen = mailbox.close().map(\.deliveryTag)
        for reader in readers {
            seen += try await within(.seconds(5), "a reader's end") { try await reader.value }
        }
        #expect(seen.sorted() == Array(1...count))
    }
}
