import Testbed
import Testing

@testable import ActorBus

/// The thread under the actor.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ExecutorTests {
    private actor Counter {
        private nonisolated let thread: BlockingThread
        private var count = 0

        init() throws { thread = try BlockingThread(name: "a name that is too long for the kernel") }

        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.unownedExecutor }

        func add() -> Int {
            assertIsolated()
            thread.executor.checkIsolated()
            count += 1
            return count
        }

        nonisolated var isOnItsThread: Bool { thread.executor.isIsolatingCurrentContext() == true }
    }

    @Test func jobsOfManyTasksRunOneAfterTheOther() async throws {
        let counter = try Counter()
        await withTaskGroup { group in
            for _ in 0..<200 { group.addTask { for _ in 0..<100 { _ = await counter.add() } } }
        }
        #expect(await counter.add() == 20_001)
        #expect(!counter.isOnItsThread)
    }

    /// The last job may let go of the actor, and so of the thread, while others are still about to enqueue theirs.
    @Test func actorsAreDroppedWhileTasksEnqueue() async throws {
        let sum = Tally()
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<100 {
                        let counter = try Counter()
                        await withTaskGroup { group in
                            for _ in 0..<5 {
                                group.addTask {
                                    _ = await counter.add()
                                    sum.add()
                                }
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(sum.value == 4_000)
    }

    @Test func connectionsAreDroppedWhileTasksUseThem() async throws {
        let broker = try await SharedBroker.quiet.value
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<15 {
                        let connection = try await AMQPConnection.connect(broker.configuration)
                        for number in 0..<10 {
                            Task {
                                // Whether it comes before the end or holds it off, it does no harm.
                                if number % 3 == 0 { _ = try? await connection.inspect(queue: "none") }
                                if number % 3 == 1 { _ = connection.status }
                                if number % 3 == 2 { _ = try? await connection.publisher() }
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
