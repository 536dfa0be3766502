/// A message that was sent and whose confirm is still to come, or has come: what ``Publisher/send(_:to:routingKey:mandatory:)``
/// returns.
///
/// A value that may be awaited at any time, from any task and any number of times. Dropping it changes nothing for the
/// message, but nobody learns then what became of it.
public struct PendingConfirm: Sendable {
    let outcome: PendingOutcome
    let window: SendWindow
    /// Kept, since a connection that nobody holds ends without another word.
    let connection: AMQPConnection

    /// Returns when the broker has confirmed the message, at once when it has done so already.
    ///
    /// - Throws: what ``Publisher/publish(_:to:routingKey:mandatory:)`` throws. `CancellationError` when the waiting task
    ///   is cancelled; the message goes its way nevertheless, and it can be waited for again.
    public func confirmed() async throws { try await window.wait(for: outcome) }
}

/// What became of a sent message, and who waits for it. Guarded by the lock of its ``SendWindow``.
final class PendingOutcome: @unchecked Sendable {
    // Unchecked: touched only under the window's lock.
    fileprivate var result: Result<Void, any Error>?
    fileprivate var waiters: [Waiter] = []
}

@safe fileprivate struct Waiter {
    let id: UInt64
    let continuation: UnsafeContinuation<Void, any Error>
}

/// Bounds how many messages a publisher's tasks have sent and not seen confirmed.
final class SendWindow: Sendable {
    fileprivate struct State {
        var unconfirmed = 0
        /// Tasks that wait for room, the oldest first.
        var senders: [Waiter] = []
        var nextWaiter: UInt64 = 0
    }

    private let size: Int
    private let state = Lock(State())

    init(size: Int) { self.size = size }

    /// Takes a place, when there is one.
    func enter() async throws {
        while !state.withLock({ state in state.takePlace(of: size) }) {
            try await wait { state, waiter in
                if state.hasPlace(of: self.size) { return .success(()) }
                state.senders.append(waiter)
                return nil
            } remove: { state, id in
                state.senders.firstIndex { $0.id == id }.map { state.senders.remove(at: $0) }
            }
        }
    }

    /// Notes the fate of a message. Called once for each.
    func finish(_ outcome: PendingOutcome, _ result: Result<Void, any Error>) {
        let (waiters, senders) = state.withLock { state in
            outcome.result = result
            let waiters = outcome.waiters
            outcome.waiters = []
            return (waiters, state.leave(size))
        }
        for waiter in waiters { unsafe waiter.continuation.resume(with: result) }
        for sender in senders { unsafe sender.continuation.resume() }
    }

    func wait(for outcome: PendingOutcome) async throws {
        if let result = state.withLock({ _ in outcome.result }) { return try result.get() }
        try await wait { _, waiter in
            if outcome.result == nil { outcome.waiters.append(waiter) }
            return outcome.result
        } remove: { _, id in
            outcome.waiters.firstIndex { $0.id == id }.map { outcome.waiters.remove(at: $0) }
        }
    }

    /// Waits until `add` has a result or whoever it added is resumed; a cancelled task is taken out by `remove`.
    private func wait(
        _ add: (inout State, Waiter) -> Result<Void, any Error>?,
        remove: @escaping @Sendable (inout State, UInt64) -> Waiter?
    ) async throws {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await unsafe withUnsafeThrowingContinuation { continuation in
                let result = state.withLock { state in
                    Task.isCancelled
                        ? .failure(CancellationError()) : add(&state, unsafe Waiter(id: id, continuation: continuation))
                }
                if let result { unsafe continuation.resume(with: result) }
            }
        } onCancel: {
            let waiter = state.withLock { state in remove(&state, id) }
            unsafe waiter?.continuation.resume(throwing: CancellationError())
        }
    }
}

extension SendWindow.State {
    /// Whoever waits goes before who comes.
    fileprivate func hasPlace(of size: Int) -> Bool { unconfirmed < size && senders.isEmpty }

    fileprivate mutating func takePlace(of size: Int) -> Bool {
        guard hasPlace(of: size) else { return false }
        unconfirmed += 1
        return true
    }

    /// Gives a place back. Senders are woken when half the window is free, and then all of them, since a wake-up for
    /// each message would cost more than the message.
    fileprivate mutating func leave(_ size: Int) -> [Waiter] {
        unconfirmed -= 1
        guard !senders.isEmpty, unconfirmed <= size / 2 else { return [] }
        defer { senders = [] }
        return senders
    }
}
