internal import ActorBus

/// The dead letters of a quorum queue that stay in it until every queue they go to has confirmed them (RabbitMQ,
/// "At-Least-Once Dead-Lettering for Quorum Queues").
struct DeadLetterOutbox {
    /// A message that died.
    struct Dead {
        var message: BrokerMessage
        var reason: DeathReason
        var failures: Int64
    }

    /// A dead letter that is on its way.
    struct Pending {
        var dead: Dead
        var letter: BrokerMessage
        /// The queues that have confirmed it.
        var confirmed: [String] = []
        /// Nil while it has had nowhere to go.
        var lastPublished: Int64?
    }

    /// Who these letters come from, as the queues that they go to know it.
    let publisher: UInt64
    var waiting: [Dead] = []
    var pending: [Pending] = []
    /// When the letters that went astray are sent again.
    var retry: Int64?

    /// How many letters are on their way at most.
    static let window = 32
    /// How long a letter waits for its confirm, in milliseconds.
    static let patience: Int64 = 180_000

    init(publisher: UInt64) { self.publisher = publisher }

    var count: Int { waiting.count + pending.count }
    var bytes: Int64 {
        waiting.reduce(0) { $0 + Int64($1.message.body.count) }
            + pending.reduce(0) { $0 + Int64($1.dead.message.body.count) }
    }

    mutating func add(_ message: BrokerMessage, _ reason: DeathReason, failures: Int64) {
        waiting.append(Dead(message: message, reason: reason, failures: failures))
    }

    /// Returns how many there were.
    mutating func removeAll() -> Int {
        defer {
            waiting = []
            pending = []
        }
        return count
    }

    /// What was on its way begins anew, as with a new leader of the queue.
    mutating func restart() {
        waiting = pending.map(\.dead) + waiting
        pending = []
        retry = nil
    }
}

extension QueueModel {
    /// Sends what waits, as far as the window allows.
    func sendLetters() {
        guard !isSendingLetters, let exchange = options.deadLetterExchange else { return }
        isSendingLetters = true
        defer { isSendingLetters = false }
        while !letters.waiting.isEmpty, letters.pending.count < DeadLetterOutbox.window {
            var stopped: [String: Bool] = [:]
            var done: [Int] = []
            while !letters.waiting.isEmpty, letters.pending.count < DeadLetterOutbox.window {
                let dead = letters.waiting.removeFirst()
                let letter = letter(of: dead.message, dead.reason, failures: dead.failures, to: exchange)
                var pending = DeadLetterOutbox.Pending(dead: dead, letter: letter)
                if send(&pending, &stopped) { done.append(letters.pending.count) }
                letters.pending.append(pending)
            }
            for index in done.reversed() { change { _ = letters.pending.remove(at: index) } }
        }
        setTimer()
    }

    /// Sends again what no queue took, or not every one.
    func retryLetters() {
        letters.retry = nil
        isSendingLetters = true
        var stopped: [String: Bool] = [:]
        var done: [Int] = []
        for index in letters.pending.indices {
            var pending = letters.pending[index]
            let isDue = pending.lastPublished.map { $0 + DeadLetterOutbox.patience <= broker.now } ?? true
            if isDue, send(&pending, &stopped) { done.append(index) }
            letters.pending[index] = pending
        }
        for index in done.reversed() { change { _ = letters.pending.remove(at: index) } }
        isSendingLetters = false
        sendLetters()
    }

    /// Publishes a letter to the queues that have not confirmed it yet; true when all have now.
    ///
    /// Letters go out many at once: what a queue says to one of them, which `stopped` keeps, reaches only the next lot.
    private func send(_ pending: inout DeadLetterOutbox.Pending, _ stopped: inout [String: Bool]) -> Bool {
        let letter = pending.letter
        guard virtualHost.exchanges[letter.exchange] != nil else { return false }
        let targets = virtualHost.route(letter)
        if targets.isEmpty { return !pending.confirmed.isEmpty }
        let known = pending.confirmed
        let open = targets.filter { target in
            !known.contains(target.name)
                && (pending.dead.reason == .rejected || !letter.isCycle(to: target.name, version: broker.version))
        }
        guard !open.isEmpty else { return false }
        pending.lastPublished = broker.now
        var isRefused = false
        for target in open {
            let isStopped = stopped[target.name] ?? target.isStopped(letters.publisher)
            stopped[target.name] = isStopped
            if !isStopped, target.take(letter) {
                pending.confirmed.append(target.name)
            } else {
                isRefused = true
            }
        }
        return !isRefused
    }

    private func setTimer() {
        if letters.pending.isEmpty {
            letters.retry = nil
        } else if letters.retry == nil {
            letters.retry = broker.now + DeadLetterOutbox.patience
        }
    }
}
