/// The machines of a connection, a consumer and a publisher through random events: the same pauses, attempts and ends on 32
/// bits as on 64, centuries after the clock began.
func checkMachines(_ transcript: inout Transcript) {
    var policy = RecoveryPolicy()
    policy.pauses = .milliseconds(200)...(.seconds(86_400))
    policy.refusalPatience = .seconds(4_000_000)
    for seed in 1...8 as ClosedRange<UInt64> {
        checkConnection(policy, seed, &transcript)
        checkConsumer(policy, seed, &transcript)
        checkPublisher(policy, seed, &transcript)
    }
}

private let passing = AMQPError(.connectionLost, "gone")
private let refusal = AMQPError(.accessRefused, "no right", replyCode: 403)

/// Moments that lie up to a month apart.
private struct Moments {
    var random: SplitMix64
    var now = Instant(nanoseconds: 3_155_760_000_000_000_000)

    mutating func next() -> Moment {
        now = now.after(Int64(random.next() % 2_678_400_000_000_000))
        return Moment(now: now, jitter: random.next())
    }
}

private func checkConnection(_ policy: RecoveryPolicy, _ seed: UInt64, _ transcript: inout Transcript) {
    transcript.begin("ConnectionMachine")
    var moments = Moments(random: SplitMix64(seed: seed))
    var machine = ConnectionMachine(policy, hosts: ["a", "b", "c"])
    var attempt: UInt64 = 0
    var opened: UInt64 = 0
    for step in 0..<600 {
        let event: ConnectionMachine.Event =
            switch machine.state {
            case .new: .begin
            case .preparing: .step(attempt: attempt, .prepared)
            case .resolving: .step(attempt: attempt, .resolved(addresses: 2))
            case .connecting where moments.random.next() % 3 > 0: .step(attempt: attempt, .failed(passing))
            case .connecting: .step(attempt: attempt, .connected)
            case .loggingIn: .step(attempt: attempt, .loggedIn)
            case .restoring where moments.random.next() % 2 > 0: .step(attempt: attempt, .failed(refusal))
            case .restoring: .step(attempt: attempt, .restored)
            case .open: .lost(passing)
            case .waiting: .pauseOver
            case .closing, .closed: .closeSaid
            }
        for action in machine.handle(event, at: moments.next()) {
            switch action {
            case .prepare(let number): attempt = number
            case .reach(let host, let address, let number):
                transcript.note("step \(step) asks host \(host) at \(address) in attempt", number)
            case .pause(let until): transcript.note("step \(step) pauses until", until.nanoseconds)
            case .admit: opened += 1
            default: break
            }
        }
    }
    transcript.note("opened", opened)
    transcript.expect("recoveries", machine.recoveries, opened > 0 ? opened - 1 : 0)
    transcript.note("ended", machine.end?.description)
}

private func checkConsumer(_ policy: RecoveryPolicy, _ seed: UInt64, _ transcript: inout Transcript) {
    transcript.begin("ConsumerMachine")
    var moments = Moments(random: SplitMix64(seed: seed))
    var machine = ConsumerMachine(policy)
    var attempt: UInt64 = 0
    for step in 0..<400 {
        let event: ConsumerMachine.Event =
            switch machine.state {
            case .wanted(.connection): .connected
            case .wanted(.pause): .pauseOver
            case .registering where moments.random.next() % 2 > 0:
                .refused(attempt: attempt, moments.random.next() % 4 > 0 ? passing : refusal, isDeclaredHere: true)
            case .registering: .accepted(attempt: attempt)
            case .registered: moments.random.next() % 2 > 0 ? .disconnected : .cancelled(passing)
            case .draining, .closing, .gone: .channelClosed
            }
        for action in machine.handle(event, at: moments.next()) {
            switch action {
            case .register(let number, _): attempt = number
            case .pause(let until): transcript.note("step \(step) pauses until", until.nanoseconds)
            case .tell(.missed(_, let attempts, _)): transcript.note("step \(step) is missed", attempts)
            default: break
            }
        }
    }
    transcript.note("attempts", attempt)
}

private func checkPublisher(_ policy: RecoveryPolicy, _ seed: UInt64, _ transcript: inout Transcript) {
    transcript.begin("PublisherMachine")
    var moments = Moments(random: SplitMix64(seed: seed))
    var machine = PublisherMachine(policy)
    var attempt: UInt64 = 0
    for step in 0..<400 {
        let event: PublisherMachine.Event =
            switch machine.state {
            case .waiting(.connection): .connected
            case .waiting(.pause): .pauseOver
            case .attaching where moments.random.next() % 2 > 0: .refused(attempt: attempt, passing)
            case .attaching: .attached(attempt: attempt)
            case .open: moments.random.next() % 2 > 0 ? .channelLost : .renewalDue
            case .renewing, .gone: .channelLost
            }
        for action in machine.handle(event, at: moments.next()) {
            switch action {
            case .attach(let number): attempt = number
            case .pause(let until): transcript.note("step \(step) pauses until", until.nanoseconds)
            default: break
            }
        }
    }
    transcript.note("attempts", attempt)
}
