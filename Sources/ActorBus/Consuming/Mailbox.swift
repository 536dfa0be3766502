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

    @safe fileprivate struct Waiter {
        let id: UInt64
        let continuation: UnsafeContinuation<Delivery?, any Error>
    }

    fileprivate enum End {
        case closed
        case failed(any Error)
    }

    private let state = Lock(State())

    /// Adds a batch. Returns false, with nothing taken, when the reader is gone.
    func put(_ batch: [Delivery]) -> Bool {
        var woken: [(Waiter, Delivery)] = []
        let taken = state.withLock { state in
            guard state.end == nil else { return false }
            var rest = batch[...]
            while !state.waiters.isEmpty, let delivery = rest.popFirst() {
                woken.append((state.waiters.removeFirst(), delivery))
            }
            for delivery in rest { state.deliveries.append(delivery) }
            return true
        }
        for (waiter, delivery) in woken { unsafe waiter.continuation.resume(returning: delivery) }
        return taken
    }

    /// The next delivery; nil when the mailbox was closed or the task is cancelled. Throws what the consumer failed
    /// with.
    func next() async throws -> Delivery? {
        if let ready = try state.withLock({ state in try state.takeReady() }) { return ready.delivery }
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await unsafe withUnsafeThrowingContinuation { continuation in
                let ready = state.withLock { state -> Result<Ready?, any Error> in
                    if Task.isCancelled { return .success(Ready(delivery: nil)) }
                    let ready = Result { () throws(any Error) in try state.takeReady() }
                    if case .success(nil) = ready {
                        state.waiters.append(unsafe Waiter(id: id, continuation: continuation))
                    }
                    return ready
                }
                switch ready {
                case .success(let ready?): unsafe continuation.resume(returning: ready.delivery)
                case .success(nil): break
                case .failure(let error): unsafe continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            unsafe waiter?.continuation.resume(returning: nil)
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
        for waiter in waiters {
            switch end {
            case .closed: unsafe waiter.continuation.resume(returning: nil)
            case .failed(let error): unsafe waiter.continuation.resume(throwing: error)
            }
        }
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
