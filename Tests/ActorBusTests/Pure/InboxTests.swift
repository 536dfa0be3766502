import Testing

@testable import ActorBus

/// When the connection's thread is told to look, and when it looks by itself.
@Suite(.timeLimit(.minutes(1))) struct InboxTests {
    private let thread: BlockingThread
    private let inbox: Inbox
    private let start = Instant(nanoseconds: 1_000_000_000)

    init() throws {
        thread = try BlockingThread(name: "inbox-test")
        inbox = Inbox(waking: thread.waker)
    }

    private func settle(_ count: Int, prefetch: UInt16) {
        for tag in 1...count {
            inbox.put(
                settlement: .acknowledge, of: ConsumerChannel(consumer: 1, generation: 1, prefetch: prefetch),
                deliveryTag: UInt64(tag))
        }
    }

    private func after(_ lingers: Int64) -> Instant { start.after(lingers * Inbox.linger) }

    /// How many commands are due then, and when the thread looks by itself.
    private func take(_ lingers: Int64) -> (count: Int, looksAt: Instant?) {
        var taken: [Inbox.Command] = []
        let looksAt = inbox.takeDue(into: &taken, now: after(lingers))
        return (taken.count, looksAt)
    }

    @Test func aSettlementOfASlowHandlerIsDueAtOnce() {
        inbox.handedOut(now: start)
        #expect(take(1) == (0, nil))
        settle(1, prefetch: 100)
        #expect(take(2) == (1, nil))
    }

    @Test func settlementsWaitForOneAnotherWhileDeliveriesAreWorkedOn() {
        inbox.handedOut(now: start)
        settle(49, prefetch: 100)
        #expect(take(0) == (0, after(1)))
        settle(1, prefetch: 100)
        #expect(take(0).count == 50)
    }

    @Test func theyWaitForTheLingerAtTheMost() {
        inbox.handedOut(now: start)
        settle(1, prefetch: 100)
        // More deliveries do not put it off.
        inbox.handedOut(now: start.after(Inbox.linger - 1))
        #expect(take(1).count == 1)
    }

    @Test func theThreadLooksAgainAsLongAsSettlementsCome() {
        inbox.handedOut(now: start)
        settle(1, prefetch: 100)
        #expect(take(1) == (1, after(2)))
        settle(1, prefetch: 100)
        #expect(take(2) == (1, after(3)))
        #expect(take(3) == (0, nil))
    }

    @Test(arguments: [1, 2, 3] as [UInt16]) func withASmallPrefetchNothingWaits(prefetch: UInt16) {
        inbox.handedOut(now: start)
        settle(1, prefetch: prefetch)
        #expect(take(0).count == 1)
    }

    @Test func whatIsAskedForNowTakesSettlementsAlong() {
        inbox.handedOut(now: start)
        settle(3, prefetch: 100)
        inbox.put(.release(consumer: 1, unread: []))
        #expect(take(0).count == 4)
    }
}
