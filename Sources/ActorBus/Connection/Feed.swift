/// A series that any number of readers follow, each through a bounded buffer: a slow one loses the oldest and holds nobody up.
final class Feed<Element: Sendable>: Sendable {
    private struct State {
        /// What a new reader is given first.
        var opening: [Element]
        var readers = Roster<UInt64, AsyncStream<Element>.Continuation>()
        var nextReader: UInt64 = 0
        var isFinished = false
    }

    private let state: Lock<State>
    private let bound: Int

    /// - Parameter bound: how many elements a reader may be behind.
    init(opening: [Element] = [], bound: Int) {
        state = Lock(State(opening: opening))
        self.bound = bound
    }

    deinit { finish() }

    var opening: [Element] { state.withLock { $0.opening } }

    /// Tells all readers, and changes what later ones are given first. To be called on one thread, so that nobody sees the
    /// series in the wrong order. Nothing is told when `next` returns nil.
    func send(_ next: (inout [Element]) -> Element?) {
        let (element, readers) = state.withLock { state in
            let element = next(&state.opening)
            return (element, element == nil ? [] : state.readers.values)
        }
        guard let element else { return }
        // Not under the lock: a reader that is being cancelled holds its task's lock and waits for this one (`onTermination`),
        // and to wake it takes its task's.
        for reader in readers { reader.yield(element) }
    }

    /// The series from now on, until it is finished.
    func stream() -> AsyncStream<Element> {
        AsyncStream(bufferingPolicy: .bufferingNewest(bound)) { continuation in
            let id = state.withLock { state -> UInt64? in
                state.nextReader += 1
                // Nobody waits for it yet.
                for element in state.opening { continuation.yield(element) }
                guard !state.isFinished else { return nil }
                state.readers[state.nextReader] = continuation
                return state.nextReader
            }
            guard let id else { return continuation.finish() }
            continuation.onTermination = { [weak self] _ in
                self?.state.withLock { state in state.readers[id] = nil }
            }
        }
    }

    func finish() {
        let readers = state.withLock { state in
            let readers = state.readers.values
            state.readers = Roster()
            state.isFinished = true
            return readers
        }
        for reader in readers { reader.finish() }
    }
}
