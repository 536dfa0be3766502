import ActorBus

/// The tally of a run, for all its tasks: services write, whoever waits for orders reads.
package final class RunBook: Sendable {
    private let tally: Lock<OrderTally>
    /// One pending signal is enough: whoever gets it looks at the tally.
    private let settledSignal: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    private let roomSignal: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    /// The generator is held back while so many orders are open.
    private let mostOpen: Int

    /// - Parameter mostOpen: how many orders may be open before `waitForRoom` waits.
    package init(mostOpen: Int) {
        self.mostOpen = mostOpen
        tally = Lock(OrderTally())
        settledSignal = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        roomSignal = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The numbers of this moment.
    package var now: OrderTally { tally.withLock { $0 } }
    /// The same without the orders that are followed, whose copy costs the next event one.
    package var totals: OrderTotals { tally.withLock { $0.totals } }

    /// Notes an event; never waits.
    package func note(_ event: OrderEvent) {
        let open = tally.withLock { tally in
            tally.note(event)
            return tally.open
        }
        if open == 0 { settledSignal.continuation.yield() }
        if open < mostOpen { roomSignal.continuation.yield() }
    }

    /// Whether so many orders are open that the generator is held back.
    package var isFull: Bool { tally.withLock { $0.open } >= mostOpen }

    /// Changes whenever anything happens.
    package var events: UInt64 { tally.withLock { $0.events } }

    /// Follows the open orders no longer that the broker has confirmed, which makes room for others. Returns how many.
    package func giveUpConfirmed() -> Int64 {
        let count = tally.withLock { $0.giveUpConfirmed() }
        roomSignal.continuation.yield()
        settledSignal.continuation.yield()
        return count
    }

    /// Waits until fewer orders are open than may be. Returns at once when its task is cancelled; for one task at a
    /// time.
    package func waitForRoom() async {
        if !isFull { return }
        for await _ in roomSignal.stream where !isFull { return }
    }

    /// Waits until no order is open, or the task is cancelled; for one task at a time.
    package func waitUntilSettled() async {
        if tally.withLock({ $0.open }) == 0 { return }
        for await _ in settledSignal.stream where tally.withLock({ $0.open }) == 0 { return }
    }
}
