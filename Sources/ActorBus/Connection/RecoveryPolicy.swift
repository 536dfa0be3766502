/// What is tried again how often, after which pauses, and what ends a connection: the one policy of all machines.
struct RecoveryPolicy {
    /// How often the first connection is tried, and how far apart.
    var firstAttempts = 10
    var firstPause = Duration.seconds(5)
    /// The shortest and the longest pause between all later attempts.
    var pauses: ClosedRange<Duration> = .milliseconds(200)...(.seconds(15))
    /// How long the same refusal must last before it counts as final.
    var refusalPatience = Duration.seconds(60)
    /// Whether an exchange or a queue that is refused for so long ends the connection; otherwise it is left out.
    var refusalsEndTheConnection = false
}

/// What a failure says about the next attempt.
///
/// Decided by codes wherever a code can tell. The broker's words decide in three cases in which one code stands for what
/// passes and for what does not: "inequivalent arg" (406), "exclusive use" (403) and a "limit" of connections (530).
enum Outlook: Equatable {
    /// Another attempt, or another host, may succeed: nobody answers, a node stops, a limit is reached, a disk is full.
    case passing
    /// The broker refuses what is asked of it: a right is missing, or something exists and is different. Final at the
    /// first connection. Later it may still pass (definitions that are imported again), so it has to last.
    case refused
    /// The broker does not let this user in. Final at the first connection; later users and virtual hosts may come back.
    case notLetIn
    /// One of us does not trust the other's certificate, or a file of one cannot be used. Final at the first connection where no
    /// host says anything else; later certificates may be renewed.
    case notTrusted
    /// Nothing that a broker could mend: a configuration that cannot be used, no thread or socket to be had.
    case ours
}

extension AMQPError {
    /// What the first connection ends with when all its attempts have failed; `self` is what the last came to.
    func afterAllAttempts(_ attempts: Int, at hosts: [String]) -> AMQPError {
        var error = self
        error.code = .brokerUnreachable
        error.message =
            "no broker could be \(cause == nil ? "reached" : "used") at \(hosts.joined(separator: ", ")) in \(attempts) "
            + "\(attempts == 1 ? "attempt" : "attempts"); the last: \(message)"
        error.remedy = remedy ?? "check that the broker runs and that host and port are right"
        return error
    }

    var outlook: Outlook {
        switch code {
        case .accessRefused: .refused
        case .preconditionFailed: isInequivalent ? .refused : .passing
        case .loginRefused, .virtualHostRefused: .notLetIn
        // Each node has a certificate of its own.
        case .tlsFailed: .notTrusted
        case .invalidConfiguration, .unsupported, .invalidMessage, .systemResource: .ours
        default: .passing
        }
    }

    /// Whether the broker holds a queue or an exchange of that name with other properties (RabbitMQ, "Declaration and
    /// property equivalence"). Its other 406 pass: low on disk space, a queue that is just being deleted.
    private var isInequivalent: Bool { replyText?.contains("inequivalent arg") == true }

    /// Which of several refusals to tell: the one that came furthest into the broker.
    fileprivate var depth: Int {
        switch outlook {
        case .refused: 4
        case .ours: 3
        case .notLetIn: code == .virtualHostRefused ? 2 : 1
        case .notTrusted, .passing: 0
        }
    }
}

/// An attempt at every address of every host, of which none let us work.
struct FailedAttempt: Equatable {
    private struct Failure: Equatable {
        var endpoint: String
        var error: AMQPError
    }

    private var failures: [Failure] = []

    mutating func note(_ error: AMQPError, at endpoint: String) {
        failures.append(Failure(endpoint: endpoint, error: error))
    }

    /// What the attempt came to. A refusal that is final is told as it is, whatever the other hosts said; otherwise it is
    /// `brokerUnreachable`, with what each host said, and with the broker's own words where one answered.
    var error: AMQPError {
        let final = failures.map { $0.error }.filter { $0.depth > 0 }.max { $0.depth < $1.depth }
        if let final { return final }
        if let last = failures.last?.error, failures.allSatisfy({ $0.error.outlook == .notTrusted }) { return last }
        var words: [String] = []
        for failure in failures {
            // A host's addresses often say the same.
            let (endpoint, message) = (failure.endpoint, failure.error.message)
            let line = message.contains(endpoint) ? message : "\(endpoint): \(message)"
            if !words.contains(line) { words.append(line) }
        }
        let answered = failures.map { $0.error }.first { $0.replyCode != nil }
        return AMQPError(
            .brokerUnreachable, words.joined(separator: ", "), replyCode: answered?.replyCode,
            replyText: answered?.replyText, remedy: (answered ?? failures.last?.error)?.remedy, cause: answered?.code)
    }
}

/// Which host an attempt begins with: the one that worked last, unless it has just failed.
struct HostRotation: Equatable {
    private(set) var first = 0

    /// The positions of all hosts, in the order in which they are asked.
    func order(of count: Int) -> [Int] { (0..<count).map { (first + $0) % count } }

    mutating func succeeded(at position: Int) { first = position }

    /// No host let us work, or the connection to the first did not last.
    mutating func failed(of count: Int) { first = count > 0 ? (first + 1) % count : 0 }
}

/// Since when the broker refuses one thing, asked again and again. Finds what cannot come back, and nothing else.
struct LastingRefusal {
    private var since: (code: AMQPError.Code, moment: Instant)?

    /// Notes what asking came to. True when it is refused now and was `patience` ago, with no other answer in between.
    /// `isRefusal` is false for what may pass, which begins the time anew.
    mutating func note(_ error: AMQPError, isRefusal: Bool, patience: Duration, at now: Instant) -> Bool {
        guard isRefusal else {
            since = nil
            return false
        }
        guard let since, since.code == error.code else {
            self.since = (error.code, now)
            return patience <= .zero
        }
        return now >= since.moment + patience
    }

    /// The broker has done what was asked, or was not there to refuse anything: what it says next is a new answer.
    mutating func forget() { since = nil }
}

/// Which failed attempts of a row are told to whoever reads the log: the first, and then one a minute.
struct AttemptLog: Equatable {
    /// How many have failed.
    private(set) var failed: UInt64 = 0
    private var told: Instant?

    static let interval = Duration.seconds(60)

    /// Counts a failed attempt; true when it is to be told.
    mutating func failed(at now: Instant) -> Bool {
        failed += 1
        if let told, now < told + Self.interval { return false }
        told = now
        return true
    }
}
