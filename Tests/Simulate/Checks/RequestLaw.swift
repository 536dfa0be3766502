import ActorBusTesting

/// How often a connection may ask for the same thing: pauses between attempts grow, whoever refuses it and why.
struct RequestLaw {
    private static let window = Duration.seconds(10)
    /// In that time, for one consumer. Pauses that double from 50 ms to 3 s come to about twelve; full jitter, and more than one
    /// row of them in a window, to more.
    private static let most = 40

    let broker: SimulatedBroker
    /// Whether publishers' channels are counted: one that the broker closes over a message is replaced at once.
    let countsPublishers: Bool

    var findings: [String] {
        var times: [Key: [Duration]] = [:]
        for request in broker.requests { times[Key(request), default: []].append(request.at) }
        return times.sorted { $0.key.words < $1.key.words }.compactMap { key, times in
            let (least, count) = busiest(times)
            guard count > Self.most * key.sharers, countsPublishers || key.kind != .confirms else { return nil }
            return "a storm: \(key.words) \(count) times in \(Self.window) from \(least) on"
        }
    }

    /// The window with the most of the times, which are in their order.
    private func busiest(_ times: [Duration]) -> (from: Duration, count: Int) {
        var (first, best) = (0, (from: Duration.zero, count: 0))
        for (position, time) in times.enumerated() {
            while times[first] + Self.window < time { first += 1 }
            if position - first + 1 > best.count { best = (times[first], position - first + 1) }
        }
        return best
    }

    private struct Key: Hashable {
        let connection: UInt64
        let kind: SimulatedBroker.Request.Kind

        init(_ request: SimulatedBroker.Request) {
            connection = request.connection
            // The tag of a consumer ends with the number of its registration.
            kind =
                if case .consume(let tag) = request.kind, let end = tag.lastIndex(of: "-") {
                    .consume(tag: String(tag[..<end]))
                } else {
                    request.kind
                }
        }

        /// How many of a client may ask for it: each consumer declares its queue before it is asked for again.
        var sharers: Int {
            switch kind {
            case .declare: 3
            case .consume: 1
            case .confirms: 2
            }
        }

        var words: String {
            switch kind {
            case .declare(let queue): "connection \(connection) declared \(queue)"
            case .consume(let tag): "connection \(connection) asked for the consumer \(tag)"
            case .confirms: "connection \(connection) asked for confirms"
            }
        }
    }
}
