/// Where the connection's thread puts a consumer's deliveries and tasks take them out: one wake-up a batch, none for a
/// reader that is not waiting.
///
/// The prefetch bounds what it holds. Several tasks may read at once; each delivery goes to one of them.
@safe final class Mailbox: Sendable {
    fileprivate struct State {
        var deliveries = Ring<Delivery>()
        var waiters: [Waiter] = []
        var nextWaiter: UInt64 = 0
        var end: End?
    }

    /// A reader to be told that there is something for it. It takes the delivery itself, under the lock: the thread
    /// sanitizer does not see that a continuation orders what is handed over.
    @safe fileprivate struct Waiter {
        let id: UInt64
        let continuation: UnsafeContinuation<Void, Never>
    }

    fileprivate enum End {
        case closed
        case failed(any Error)
    }

    private let state = Lock(State())
    /// Adds a batch. Returns false, with nothing taken, when the reader is gone.
    func put(_ batch: [Delivery]) -> Bool {
        let woken = state.withLock { state -> [Waiter]? in
            guard state.end == nil else { return nil }
            for delivery in batch { state.deliveries.append(delivery) }
            let woken = Array(state.waiters.prefix(batch.count))
            state.waiters.removeFirst(woken.count)
            return woken
        }
        for waiter in woken ?? [] { unsafe waiter.continuation.resume() }
        return woken != nil
    }

    /// The next delivery; nil when the mailbox was closed or the task is cancelled. Throws what the consumer failed
    /// with.
    func next() async throws -> Delivery? {
        while true {
            // Before the cancellation: this reader may be the only one that was told of it.
            if let ready = try state.withLock({ state in try state.takeReady() }) { return ready.delivery }
            if Task.isCancelled { return nil }
            await waitForDelivery()
        }
    }

    /// Waits until there may be something to take, or the task is cancelled.
    private func waitForDelivery() async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                let waits = state.withLock { state in
                    guard state.end == nil, state.deliveries.isEmpty, !Task.isCancelled else { return false }
                    state.waiters.append(unsafe Waiter(id: id, continuation: continuation))
                    return true
                }
                if !waits { unsafe continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            unsafe waiter?.continuation.resume()
        }
    }

    /// Hands out nothing any more; readers see the end. Returns what was not handed out.
    func close() -> [Delivery] { end(.closed) }

    /// As `close`, but readers throw `error`.
    func fail(_ error: any Error) -> [Delivery] { end(.failed(error)) }

    /// Whether it was closed or has failed.
    var isOver: Bool { state.withLock { $0.end != nil } }

    /// Drops what was not handed out: its channel is gone, and the broker delivers it again.
    func purge() {
        state.withLock { state in
            state.deliveries = Ring()
        }
    }

    private func end(_ end: End) -> [Delivery] {
        let (rest, waiters) = state.withLock { state in
            if state.end == nil { state.end = end }
            let waiters = state.waiters
            state.waiters = []
            return (state.deliveries.removeAll(), waiters)
        }
        for waiter in waiters { unsafe waiter.continuation.resume() }
        return rest
    }

    /// What a reader gets without waiting: a delivery, or the end.
    fileprivate struct Ready {
        var delivery: Delivery?
    }
}

extension Mailbox.State {
    /// What there is for a reader now; nil when it has to wait.
    fileprivate mutating func takeReady() throws -> Mailbox.Ready? {
        if let delivery = deliveries.popFirst() { return Mailbox.Ready(delivery: delivery) }
        switch end {
        case nil: return nil
        case .closed: return Mailbox.Ready(delivery: nil)
        case .failed(let error): throw error
        }
    }
}
