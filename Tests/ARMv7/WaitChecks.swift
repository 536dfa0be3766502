/// Durations and deadlines: nanoseconds in 64 bits, where 32 would end after four seconds.
func checkWaits(_ transcript: inout Transcript) {
    checkInstants(&transcript)
    checkHeartbeats(&transcript)
    checkBackoff(&transcript)
    checkRetries(&transcript)
    checkSpeed(&transcript)
    checkWindow(&transcript)
}

private func checkInstants(_ transcript: inout Transcript) {
    transcript.begin("Instant")
    transcript.expect("4000000000 s", Duration.seconds(4_000_000_000 as Int64).nanoseconds, 4_000_000_000_000_000_000)
    transcript.expect("4294967297 ns", Duration.nanoseconds(4_294_967_297 as Int64).nanoseconds, 4_294_967_297)
    transcript.expect("-1 ns", (Duration.zero - .nanoseconds(1)).nanoseconds, -1)
    transcript.expect("the longest", Duration.seconds(Int64.max).nanoseconds, .max)
    transcript.expect("the shortest", Duration.seconds(Int64.min).nanoseconds, .min)
    let now = Instant(nanoseconds: 3_155_760_000_000_000_000)  // a hundred years after the start
    let never = Instant(nanoseconds: .max)
    for (wait, milliseconds) in [
        (0, 0), (1, 1), (999_999, 1), (1_500_000, 2), (4_294_967_296, 4295), (2_147_483_646_000_000, 2_147_483_647),
        (2_147_483_647_000_000, .max), (4_294_967_295_000_000, .max), (4_294_967_296_000_000, .max),
    ] as [(Int64, CInt)] {
        let deadline = now + .nanoseconds(wait)
        transcript.expect("\(wait) ns from now", now.milliseconds(until: deadline), milliseconds)
        transcript.expect("\(wait) ns apart", (deadline - now).nanoseconds, wait)
    }
    transcript.expect("until never", Instant(nanoseconds: .min).milliseconds(until: never), .max)
    transcript.expect("after never", (never + .seconds(1)).nanoseconds, .max)
    transcript.expect("centuries later", (now + .seconds(Int64.max)).nanoseconds, .max)
}

private func checkHeartbeats(_ transcript: inout Transcript) {
    transcript.begin("HeartbeatMonitor")
    let start = Instant(nanoseconds: 3_155_760_000_000_000_000)
    // The longest that the protocol can agree on: 16 bits of seconds.
    for seconds in [1, 30, 600, 65_535] as [Int64] {
        var monitor = HeartbeatMonitor(interval: .seconds(seconds), now: start)
        let nanoseconds = seconds * 1_000_000_000
        monitor.sent(at: start + .seconds(5))
        monitor.received(at: start + .seconds(7))
        transcript.expect(
            "send every \(seconds) s", monitor.sendDeadline?.nanoseconds,
            start.nanoseconds + 5_000_000_000 + nanoseconds / 2)
        transcript.expect(
            "dead after \(seconds) s", monitor.silenceDeadline?.nanoseconds,
            start.nanoseconds + 7_000_000_000 + nanoseconds * 2)
    }
    transcript.expect("switched off", HeartbeatMonitor(interval: nil, now: start).sendDeadline?.nanoseconds, nil)
}

private func checkBackoff(_ transcript: inout Transcript) {
    transcript.begin("Backoff")
    var backoff = Backoff(.milliseconds(200)...(.seconds(15)))
    for (step, ceiling) in ([200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000] as [Int64]).enumerated() {
        let pause = backoff.next(jitter: .max).nanoseconds
        transcript.expect("ceiling \(step)", pause, ceiling * 1_000_000)
    }
    var random = SplitMix64(seed: 6)
    for range in [
        .milliseconds(200)...(.seconds(15)), .zero ... .zero, .seconds(1)...(.seconds(86_400)),
        .seconds(Int64.max / 2)...(.seconds(Int64.max)),
    ] as [ClosedRange<Duration>] {
        var backoff = Backoff(range)
        for _ in 0..<60 {
            let pause = backoff.next(jitter: random.next())
            transcript.expect("at least nothing", pause >= .zero, true)
            transcript.note("pause", pause.nanoseconds)
        }
    }
}

private func checkRetries(_ transcript: inout Transcript) {
    transcript.begin("RetryPolicy")
    for policy in [
        .inPlace, RetryPolicy(attempts: .max, first: .seconds(1), longest: .seconds(4_000_000_000 as Int64)),
    ] as [RetryPolicy] {
        for failures in 1...40 {
            let pause = policy.pause(afterFailures: failures, jitter: 1)
            transcript.note("after \(failures)", pause?.nanoseconds)
            transcript.note("with jitter", policy.pause(afterFailures: failures, jitter: 0.25)?.nanoseconds)
        }
    }
    transcript.expect(
        "the longest", RetryPolicy.inPlace.pause(afterFailures: 2, jitter: 1)?.nanoseconds, 200_000_000)
}

private func checkSpeed(_ transcript: inout Transcript) {
    transcript.begin("Speed")
    let slowest = Speed.factor(thousandths: 1)
    let fastest = Speed.factor(thousandths: 1_000_000_000)
    transcript.expect(
        "a day, a thousand times slower", slowest.real(milliseconds: 86_400_000).nanoseconds, 86_400_000_000_000_000)
    transcript.expect("a day, a million times faster", fastest.real(milliseconds: 86_400_000).nanoseconds, 86_400_000)
    transcript.expect("a day at once", Speed.max.real(milliseconds: 86_400_000).nanoseconds, 0)
    transcript.expect("the longest", slowest.real(milliseconds: .max).nanoseconds, .max)
    var random = SplitMix64(seed: 7)
    for _ in 0..<500 {
        let speed = Speed.factor(thousandths: Int64(random.next() % 10_000_000) + 1)
        let pace = Pace(.generatorInterval, speed: speed)
        transcript.note("at \(speed)", pace.wait(using: &random).nanoseconds)
    }
}

private func checkWindow(_ transcript: inout Transcript) {
    transcript.begin("SlidingWindow")
    var window = SlidingWindow(seconds: 60)
    let start = Int64(1) << 32 - 30
    window.record(4_000_000_000, at: .seconds(start))
    window.record(4_000_000_000, at: .seconds(start + 59))
    transcript.expect("within the window", window.total(at: .seconds(start + 59)), 8_000_000_000)
    transcript.expect("after a second", window.total(at: .seconds(start + 60)), 4_000_000_000)
    transcript.expect("a second", window.perSecond(at: .seconds(start + 60)) == 4_000_000_000 / 60, true)
    transcript.expect("long after", window.total(at: .seconds(start * 1000)), 0)
}
