import Glibc
import Testbed
import Testing

@testable import ActorBus

/// The handler form, on a real broker.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ProcessTests {
    @Test func handlersRunSideBySideUpToTheBound() async throws {
        try await withQueue("bound") { connection, queue in
            try await connection.fill(queue, 40)
            let (inWork, done, all) = (Tally(), Tally(), Gate())
            let work = Task {
                try await connection.process(queue, prefetch: 10, concurrency: 4) { _ in
                    inWork.add()
                    // Long enough for the others to come in.
                    try await Task.sleep(for: .milliseconds(20))
                    inWork.add(-1)
                    if done.add() == 40 { all.open() }
                    return .acknowledge
                }
            }
            try await within(.seconds(20), "forty handlers") { await all.pass() }
            work.cancel()
            try await within(.seconds(10), "the end of processing") { try await work.value }
            #expect(inWork.most == 4)
            #expect(done.value == 40)
            try await connection.settles(at: 0, queue)
        }
    }

    @Test func cancellationFinishesWhatIsInHandAndReturnsTheRest() async throws {
        try await withQueue("drain") { connection, queue in
            try await connection.fill(queue, 10)
            let (inHand, mayFinish, finished) = (Gate(), Gate(), Tally())
            let started = Tally()
            let work = Task {
                try await connection.process(queue, prefetch: 6, concurrency: 2) { _ in
                    if started.add() == 2 { inHand.open() }
                    await mayFinish.passUncancelled()
                    // The stop signal is not for work in hand.
                    #expect(!Task.isCancelled)
                    finished.add()
                    return .acknowledge
                }
            }
            try await within(.seconds(10), "two handlers in work") { await inHand.pass() }
            work.cancel()
            // The rest goes back while the handlers are still in work.
            try await connection.settles(at: 8, queue)
            #expect(finished.value == 0)
            mayFinish.open()
            try await within(.seconds(10), "the end of the drain") { try await work.value }
            #expect(finished.value == 2 && started.value == 2)
            try await eventually("two are acknowledged, and no consumer is left") {
                try await connection.inspect(queue: queue) == QueueDepth(messages: 8, consumers: 0)
            }
        }
    }

    @Test func aDrainThatTakesTooLongIsCutShort() async throws {
        try await withQueue("overdue") { connection, queue in
            try await connection.fill(queue, 1)
            let (inHand, never) = (Gate(), Gate())
            let work = Task {
                try await connection.process(queue, drainTimeout: .milliseconds(300)) { _ in
                    inHand.open()
                    await never.passUncancelled()
                    return .acknowledge
                }
            }
            try await within(.seconds(10), "a handler in work") { await inHand.pass() }
            work.cancel()
            let error = try await failure("a drain that is overdue") { try await work.value }
            #expect(error.code == .drainTimedOut)
            try await connection.settles(at: 1, queue)
            never.open()
            // What the handler says in the end changes nothing.
            var deliveries = connection.deliveries(from: queue).makeAsyncIterator()
            let again = try #require(try await deliveries.next())
            #expect(again.redelivered)
            again.acknowledge()
        }
    }

    @Test func aHandlerThatHeedsItsCancellationIsCutShortByTheDrain() async throws {
        try await withQueue("heeds") { connection, queue in
            try await connection.fill(queue, 1)
            let inHand = Gate()
            let work = Task {
                try await connection.process(queue, drainTimeout: .milliseconds(200)) { _ in
                    inHand.open()
                    try await Task.sleep(for: .seconds(60))
                    return .acknowledge
                }
            }
            try await within(.seconds(10), "a handler in work") { await inHand.pass() }
            work.cancel()
            let error = try await failure(within: .seconds(20), "a drain that is overdue") { try await work.value }
            #expect(error.code == .drainTimedOut)
            try await connection.settles(at: 1, queue)
        }
    }

    @Test func aHandlerThatThrowsPutsItsMessageBack() async throws {
        struct Trouble: Error {}
        try await withQueue("throws") { connection, queue in
            try await connection.fill(queue, 1)
            let (tries, done) = (Lock<[Bool]>([]), Gate())
            let work = Task {
                try await connection.process(queue) { delivery in
                    if tries.withLock({
                        $0.append(delivery.redelivered); return $0.count
                    }) == 1 {
                        throw Trouble()
                    }
                    done.open()
                    return .acknowledge
                }
            }
            try await within(.seconds(15), "a second try") { await done.pass() }
            work.cancel()
            try await within(.seconds(10), "the end of processing") { try await work.value }
            #expect(tries.withLock { $0 } == [false, true])
            try await connection.settles(at: 0, queue)
        }
    }

    @Test func aHandlerThatTakesTooLongIsCancelledAndReplaced() async throws {
        try await withQueue("handler-timeout") { connection, queue in
            try await connection.fill(queue, 3)
            let (late, done, all) = (Tally(), Tally(), Gate())
            let work = Task {
                try await connection.process(queue, handlerTimeout: .milliseconds(300)) { delivery in
                    if !delivery.redelivered {
                        late.add()
                        try await Task.sleep(for: .seconds(60))
                    }
                    if done.add() == 3 { all.open() }
                    return .acknowledge
                }
            }
            try await within(.seconds(20), "three second tries") { await all.pass() }
            work.cancel()
            try await within(.seconds(10), "the end of processing") { try await work.value }
            #expect(late.value == 3)
            try await connection.settles(at: 0, queue)
        }
    }

    /// Handlers that end just when they are overdue: whichever comes first, no worker is lost.
    @Test func aTimeOutThatMeetsTheEndOfItsHandlerLosesNoWorker() async throws {
        try await withQueue("photo-finish") { connection, queue in
            try await connection.fill(queue, 400)
            let (done, all) = (Lock<Set<[UInt8]>>([]), Gate())
            let work = Task {
                try await connection.process(queue, prefetch: 4, concurrency: 2, handlerTimeout: .milliseconds(20)) {
                    delivery in
                    let end = ContinuousClock.now + .milliseconds(Int64.random(in: 15...32))
                    // Heeds no cancellation, so that it ends when it ends.
                    while ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(1)) }
                    if done.withLock({
                        $0.insert(delivery.body); return $0.count
                    }) == 400 {
                        all.open()
                    }
                    return .acknowledge
                }
            }
            try await within(.seconds(60), "four hundred handlers") { await all.pass() }
            work.cancel()
            try await within(.seconds(10), "the end of processing") { try await work.value }
        }
    }

    /// Handlers run on other threads unless they are told to, so heartbeats go on whatever they do.
    @Test func aHandlerThatBlocksItsThreadKeepsTheConnection() async throws {
        let broker = try await SharedBroker.quiet.value
        try await withQueue("blocking") { _, queue in
            var configuration = broker.configuration
            configuration.heartbeat = .seconds(1)
            try await withConnection(to: configuration) { connection in
                try await connection.fill(queue, 1)
                let done = Gate()
                let work = Task {
                    try await connection.process(queue) { _ in
                        sleep(6)
                        done.open()
                        return .acknowledge
                    }
                }
                try await within(.seconds(30), "the handler's end") { await done.pass() }
                #expect(connection.status.recoveries == 0 && connection.status.isReady)
                work.cancel()
                try await within(.seconds(10), "the end of processing") { try await work.value }
                try await connection.settles(at: 0, queue)
            }
        }
    }

    @Test func aMissingQueueIsNotFound() async throws {
        try await withQueue("no-process") { connection, _ in
            let error = try await failure("processing of no queue") {
                try await connection.process(unique("missing")) { _ in .acknowledge }
            }
            #expect(error.code == .notFound)
        }
    }

    @Test func closingTheConnectionEndsProcessing() async throws {
        let broker = try await SharedBroker.quiet.value
        try await withQueue("closed") { _, queue in
            let connection = try await AMQPConnection.connect(broker.configuration)
            let work = Task { try await connection.process(queue) { _ in .acknowledge } }
            try await connection.status("a consumer") { $0.registeredConsumers == 1 }
            await connection.close()
            let error = try await failure("processing over a closed connection") { try await work.value }
            #expect(error.code == .connectionClosed)
        }
    }

    @Test(arguments: [0, -1])
    func aConcurrencyOfNoneIsRefused(concurrency: Int) async throws {
        try await withQueue("idle") { connection, queue in
            let error = try await failure("processing by nobody") {
                try await connection.process(queue, concurrency: concurrency) { _ in .acknowledge }
            }
            #expect(error.code == .invalidConfiguration)
        }
    }
}

extension Gate {
    /// Waits even where the task is cancelled.
    func passUncancelled() async { await Task.detached { await self.pass() }.value }
}
