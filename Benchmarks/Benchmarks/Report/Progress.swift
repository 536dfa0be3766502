/// Says on standard error what is being measured, a line each.
struct Progress {
    private let total: Int
    private var done = 0
    private let start = ContinuousClock.now

    init(total: Int) { self.total = total }

    mutating func step(_ what: String) {
        done += 1
        let seconds = (ContinuousClock.now - start).components.seconds
        Self.say("[\(done)/\(total), \(seconds) s] \(what)")
    }

    static func say(_ line: String) {
        Lines.put(line, to: 2)
    }
}
