import ActorBus

/// Who watches: a bounded number of streams, each of which gets the newest state.
final class DashboardViewers: Sendable {
    private struct State: Sendable {
        var streams: [UInt64: PartStream] = [:]
        var lastKey: UInt64 = 0
        var hasEnded = false
    }

    /// Why there is no place.
    enum Refusal: Error, Equatable {
        case full, ended
    }

    private let places: Int
    private let state = Lock(State())
    private let signal: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)

    init(places: Int) {
        self.places = places
        signal = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var count: Int { state.withLock { $0.streams.count } }

    /// One signal or more when somebody has come since the last; for one reader, until the end.
    var arrivals: AsyncStream<Void> { signal.stream }

    /// A place for one more, which is free again when its stream ends.
    func add() throws(Refusal) -> PartStream {
        let stream: Result<PartStream, Refusal> = state.withLock { state in
            if state.hasEnded { return .failure(.ended) }
            guard state.streams.count < places else { return .failure(.full) }
            state.lastKey += 1
            let key = state.lastKey
            let stream = PartStream { [weak self] in self?.remove(key) }
            state.streams[key] = stream
            return .success(stream)
        }
        signal.continuation.yield()
        return try stream.get()
    }

    /// Sends to all; never waits.
    func send(_ part: [UInt8]) {
        for stream in state.withLock({ Array($0.streams.values) }) { stream.send(part) }
    }

    /// Sends a last part, and ends all streams; there are none afterwards.
    func end(with part: [UInt8]) {
        let streams = state.withLock { state in
            state.hasEnded = true
            return Array(state.streams.values)
        }
        for stream in streams {
            stream.send(part)
            stream.end()
        }
        signal.continuation.finish()
    }

    private func remove(_ key: UInt64) {
        // Let go of outside of the lock: the last reference may be here.
        _ = state.withLock { $0.streams.removeValue(forKey: key) }
    }
}
