/// The depths of a queue lately, and how fast they change. Pure.
package struct DepthHistory: Sendable {
    private static let window = Duration.seconds(5)
    private static let longest = 60

    private var looks: [(time: Duration, ready: UInt32)] = []

    package init() {}

    package var values: [UInt32] { looks.map(\.ready) }

    package mutating func add(_ ready: UInt32, at time: Duration) {
        looks.append((time, ready))
        if looks.count > Self.longest { looks.removeFirst() }
    }

    package mutating func lose() { looks = [] }

    /// The change a second over the last seconds; nil with fewer than two looks.
    package var change: Double? {
        guard let last = looks.last, let first = looks.first(where: { last.time - $0.time <= Self.window }),
            last.time > first.time
        else { return nil }
        return (Double(last.ready) - Double(first.ready)) / (last.time - first.time).inSeconds
    }
}
