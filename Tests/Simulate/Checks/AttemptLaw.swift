import ActorBus

/// The law of the pauses between attempts to connect, whatever is lost when.
///
/// The first connection is tried every so often. Behind a loss each pause is what the random number that was drawn for it
/// makes of a ceiling, which doubles from pause to pause up to the longest, and begins anew only behind a connection that
/// has lasted twice the longest. In each attempt every host is asked once.
struct AttemptLaw {
    let hosts: Int
    let firstPause: Duration
    let pauses: ClosedRange<Duration>

    private var draws: [(number: UInt64, at: Duration)] = []
    private var lookUps: [Duration] = []
    private var events: [(event: ConnectionEvent, at: Duration)] = []
    /// When it was open for the first time.
    private var opened: Duration?

    /// How much later than it happens an event is read, and a pause noticed to be over.
    private static let delay = Duration.milliseconds(50)

    init(hosts: Int, firstPause: Duration, pauses: ClosedRange<Duration>) {
        self.hosts = hosts
        self.firstPause = firstPause
        self.pauses = pauses
    }

    mutating func drew(_ number: UInt64, at time: Duration) { draws.append((number, time)) }
    mutating func looksUp(at time: Duration) { lookUps.append(time) }
    mutating func tells(_ event: ConnectionEvent, at time: Duration) { events.append((event, time)) }
    mutating func opens(at time: Duration) { opened = opened ?? time }

    // MARK: In the end

    var findings: [String] { firstFindings + laterFindings }

    private var firstFindings: [String] {
        let first = lookUps.filter { $0 <= opened ?? .seconds(1_000_000) }
        return zip(first, first.dropFirst(hosts)).compactMap { one, next in
            next - one < firstPause
                ? "the first connection was tried at \(one) and \(next) again, with \(firstPause) between attempts"
                : nil
        }
    }

    /// An attempt that was told of, and when its pause is over.
    private struct Attempt {
        var number: UInt64
        var begins: Duration
    }

    private var laterFindings: [String] {
        var findings: [String] = []
        var attempts: [Attempt] = []
        // Where a connection has lasted just so long either may hold.
        var ceilings = [pauses.lowerBound]
        var since: Duration?
        var drawn = 0
        var isKnown = false
        for (event, time) in events {
            switch event {
            case .connected:
                since = since ?? time
                // One that was lost before its first event had pauses that nobody heard of.
                if !isKnown, attempts.isEmpty { isKnown = true }
            case .lost:
                guard isKnown, let began = since.take() else { return findings }
                let lasted = time - began
                if lasted > pauses.upperBound * 2 + Self.delay { ceilings = [] }
                if lasted > pauses.upperBound * 2 - Self.delay { ceilings.append(pauses.lowerBound) }
            case .attempt(let number, let pause):
                let match = draws[drawn...].lazy.enumerated().compactMap { offset, draw in
                    ceilings.first { Self.pause($0, draw.number) == pause }.map { (offset, $0, draw.at) }
                }.first
                guard let (offset, ceiling, at) = match else {
                    findings.append("the pause before attempt \(number) is \(pause), with a ceiling of \(ceilings)")
                    return findings
                }
                drawn += offset + 1
                ceilings = [min(ceiling * 2, pauses.upperBound)]
                attempts.append(Attempt(number: number, begins: at + pause))
            default: break
            }
        }
        return isKnown ? findings + breaches(in: attempts) : findings
    }

    /// That nobody is asked but in an attempt, behind its pause, and once in each.
    private func breaches(in attempts: [Attempt]) -> [String] {
        guard let opened else { return [] }
        var findings: [String] = []
        let later = lookUps.filter { $0 > opened }
        if let first = later.first, attempts.first.map({ first < $0.begins }) ?? true {
            findings.append("a host was looked up at \(first), before any attempt was told of")
        }
        for (position, attempt) in attempts.enumerated() {
            let end = position + 1 < attempts.count ? attempts[position + 1].begins : .seconds(1_000_000)
            let asked = later.count { $0 >= attempt.begins && $0 < end }
            if asked > hosts { findings.append("attempt \(attempt.number) asked \(asked) of \(hosts) hosts") }
        }
        return findings
    }

    /// A pause between nothing and the ceiling.
    private static func pause(_ ceiling: Duration, _ number: UInt64) -> Duration {
        let (seconds, attoseconds) = ceiling.components
        let nanoseconds = UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
        return .nanoseconds(Int64((nanoseconds + 1).multipliedFullWidth(by: number).high))
    }
}
