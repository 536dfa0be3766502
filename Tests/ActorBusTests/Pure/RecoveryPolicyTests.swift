import Testing

@testable import ActorBus

/// What is tried again, what ends a connection, and when: all of it, with a clock of the test's own.
@Suite struct RecoveryPolicyTests {
    private static let closes: [(code: UInt16, text: String, expected: AMQPError.Code, outlook: Outlook)] = [
        (311, "CONTENT_TOO_LARGE", .closedByBroker, .passing),
        (320, "CONNECTION_FORCED - Closed via management plugin", .closedByBroker, .passing),
        (402, "INVALID_PATH", .closedByBroker, .passing),
        (403, "ACCESS_REFUSED - configure access to queue 'q' refused for user 'u'", .accessRefused, .refused),
        (403, "words of a later version", .accessRefused, .refused),
        (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", .resourceLocked, .passing),
        (404, "NOT_FOUND - no queue 'q' in vhost '/'", .notFound, .passing),
        (404, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor", .notFound, .passing),
        (404, "NOT_FOUND - queue 'q' in vhost '/' has crashed and failed to restart", .notFound, .passing),
        (404, "NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout", .notFound, .passing),
        (404, "NOT_FOUND - home node 'a@b' of durable queue 'q' is down or inaccessible", .notFound, .passing),
        (405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue", .resourceLocked, .passing),
        (406, "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q'", .preconditionFailed, .refused),
        (406, "PRECONDITION_FAILED - low on disk space", .preconditionFailed, .passing),
        (406, "", .preconditionFailed, .passing),
        (501, "FRAME_ERROR", .closedByBroker, .passing), (504, "CHANNEL_ERROR", .closedByBroker, .passing),
        (530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", .closedByBroker, .passing),
        (
            530, "NOT_ALLOWED - access to vhost '/' refused for user 'u': connection limit (1) is reached",
            .connectionLimitReached, .passing
        ),
        (
            530, "NOT_ALLOWED - connection refused for user 'u': user connection limit (1) is reached",
            .connectionLimitReached, .passing
        ),
        (530, "NOT_ALLOWED - node connection limit (1) is reached", .connectionLimitReached, .passing),
        (541, "INTERNAL_ERROR - access to vhost '/' refused: vhost '/' is down", .closedByBroker, .passing),
        (599, "NEVER_HEARD_OF", .closedByBroker, .passing),
    ]

    @Test(arguments: RecoveryPolicyTests.closes.indices)
    func aCloseMeansWhatItsCodeSays(index: Int) {
        let close = Self.closes[index]
        let error = AMQPError(
            closing: .init(replyCode: close.code, replyText: close.text, classID: 0, methodID: 0), of: "a channel")
        #expect(error.code == close.expected && error.outlook == close.outlook, "\(error)")
    }

    @Test(
        arguments: [
            (.loginRefused, .notLetIn), (.virtualHostRefused, .notLetIn), (.invalidConfiguration, .ours),
            (.unsupported, .ours), (.invalidMessage, .ours), (.systemResource, .ours), (.brokerUnreachable, .passing),
            (.connectionLost, .passing), (.protocolViolation, .passing), (.timedOut, .passing),
            (.connectionLimitReached, .passing),
        ] as [(AMQPError.Code, Outlook)])
    func everyOtherCodeHasAnOutlook(code: AMQPError.Code, outlook: Outlook) {
        #expect(AMQPError(code, "m").outlook == outlook)
    }

    // MARK: Attempts at several hosts

    private static let unreachable = AMQPError(.connectionLost, "cannot connect: Connection refused")
    private static let stopping = AMQPError(
        .notFound, "declaring failed", replyCode: 404, replyText: "process is stopped", remedy: "wait")
    private static let login = AMQPError(.loginRefused, "refused", replyCode: 403)
    private static let virtualHost = AMQPError(.virtualHostRefused, "no such vhost", replyCode: 530)
    private static let access = AMQPError(.accessRefused, "no right", replyCode: 403)

    private func outcome(_ errors: [AMQPError]) -> AMQPError {
        var attempt = FailedAttempt()
        for (number, error) in errors.enumerated() { attempt.note(error, at: "host-\(number):5672") }
        return attempt.error
    }

    @Test func aFinalRefusalIsToldWhereverItCame() {
        let all = [Self.unreachable, Self.stopping, Self.login, Self.virtualHost, Self.access]
        // The one that came furthest, in every order of two and three hosts.
        for first in all.indices {
            for second in all.indices {
                for third in all.indices {
                    let most = max(first, second, third)
                    let error = outcome([all[first], all[second], all[third]])
                    #expect(error.code == (most >= 2 ? all[most].code : .brokerUnreachable))
                }
            }
        }
    }

    @Test func whatPassesIsToldWithEveryHostsWords() {
        let error = outcome([Self.unreachable, Self.stopping])
        #expect(error.code == .brokerUnreachable && error.cause == .notFound && error.replyCode == 404)
        #expect(error.message.contains("host-0:5672: cannot connect"))
        #expect(error.message.contains("host-1:5672: declaring"))
        #expect(error.remedy == "wait")
        let silent = outcome([Self.unreachable])
        #expect(silent.cause == nil && silent.replyCode == nil && silent.outlook == .passing)
        var attempt = FailedAttempt()
        for _ in 0..<3 { attempt.note(Self.unreachable, at: "localhost:5672") }
        #expect(attempt.error.message == "localhost:5672: cannot connect: Connection refused")
    }

    @Test(arguments: 1...5)
    func everyHostIsAskedOnceBeginningWithTheOneThatWorked(count: Int) {
        var rotation = HostRotation()
        for position in 0..<count {
            rotation.succeeded(at: position)
            #expect(rotation.order(of: count).first == position)
            #expect(rotation.order(of: count).sorted() == Array(0..<count))
            rotation.failed(of: count)
            #expect(rotation.first == (position + 1) % count)
        }
        rotation.failed(of: 0)
        #expect(rotation.order(of: 0).isEmpty)
    }

    // MARK: Refusals that last

    @Test func onlyTheSameRefusalThatLastsIsFinal() {
        func second(_ number: Int64) -> Instant { Instant(nanoseconds: number * 1_000_000_000) }
        let (right, different) = (AMQPError(.accessRefused, "r"), AMQPError(.preconditionFailed, "d"))
        var refusal = LastingRefusal()
        func isFinal(
            _ error: AMQPError, _ moment: Int64, isRefusal: Bool = true, patience: Duration = .seconds(60)
        ) -> Bool {
            refusal.note(error, isRefusal: isRefusal, patience: patience, at: second(moment))
        }
        #expect(!isFinal(right, 0))
        #expect(!isFinal(right, 59))
        #expect(isFinal(right, 60))
        // Another refusal, another answer, a success and an absence begin it anew.
        #expect(!isFinal(different, 61))
        #expect(!isFinal(different, 120))
        #expect(isFinal(different, 121))
        #expect(!isFinal(Self.stopping, 122, isRefusal: false))
        #expect(!isFinal(different, 200))
        refusal.forget()
        #expect(!isFinal(different, 300))
        #expect(isFinal(different, 360))
        refusal.forget()
        #expect(isFinal(right, 400, patience: .zero))
    }

    // MARK: What the log is told

    @Test func theFirstAttemptIsToldAndThenOneAMinute() {
        var log = AttemptLog()
        var told: [UInt64] = []
        // An attempt every 7 seconds for five minutes.
        for number in 0..<43 as Range<Int64> where log.failed(at: Instant(nanoseconds: number * 7_000_000_000)) {
            told.append(log.failed)
        }
        #expect(told == [1, 10, 19, 28, 37] && log.failed == 43)
    }
}
