import Testbed
import Testing

@testable import ActorBus

/// Tasks on their connection's own thread.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct TaskExecutorTests {
    @Test(arguments: [true, false])
    func handlersRunWhereTheyAreTold(onThread: Bool) async throws {
        try await withQueue("where") { connection, queue in
            try await connection.fill(queue, 20)
            let (done, elsewhere) = (Gate(), Tally())
            let seen = Tally()
            let work = Task {
                try await connection.process(
                    queue, prefetch: 4, concurrency: 4, executorPreference: onThread ? connection.taskExecutor : nil
                ) { _ in
                    if connection.isOnItsThread != onThread { elsewhere.add() }
                    try await Task.sleep(for: .milliseconds(1))
                    if connection.isOnItsThread != onThread { elsewhere.add() }
                    if seen.add() == 20 { done.open() }
                    return .acknowledge
                }
            }
            try await within(.seconds(20), "twenty handlers") { await done.pass() }
            work.cancel()
            try await within(.seconds(10), "the end of processing") { try await work.value }
            #expect(elsewhere.value == 0)
            try await connection.settles(at: 0, queue)
        }
    }

    /// Publishers and readers on one thread, which meet the actor's own work there.
    @Test func whatIsPublishedThereIsReadThere() async throws {
        try await withQueue("there") { connection, queue in
            let publisher = try await connection.publisher(window: 20)
            let read = try await withThrowingTaskGroup(of: Set<String>.self) { group in
                for task in 0..<8 {
                    group.addTask(executorPreference: connection.taskExecutor) {
                        for number in 0..<100 {
                            let message = Message(text: "m", properties: .init(messageID: "\(task)-\(number)"))
                            try await publisher.publish(message, to: "", routingKey: queue)
                            if number % 20 == 0 { _ = try await connection.inspect(queue: queue) }
                        }
                        return []
                    }
                }
                group.addTask(executorPreference: connection.taskExecutor) {
                    var identities: Set<String> = []
                    for try await delivery in connection.deliveries(from: queue, prefetch: 7) {
                        identities.insert(delivery.properties.messageID ?? "")
                        delivery.acknowledge()
                        if identities.count == 800 { break }
                    }
                    return identities
                }
                return try await group.reduce(into: Set()) { $0.formUnion($1) }
            }
            #expect(read.count == 800)
            try await connection.settles(at: 0, queue)
        }
    }

    @Test func aTaskRunsOnWhenItsConnectionIsGone() async throws {
        var connection: AMQPConnection? = try await AMQPConnection.connect(
            try await SharedBroker.quiet.value.configuration)
        let executor = try #require(connection?.taskExecutor)
        let (mayGoOn, hasBegun) = (Gate(), Gate())
        let task = Task(executorPreference: executor) {
            hasBegun.open()
            await mayGoOn.pass()
            for _ in 0..<100 { await Task.yield() }
            return true
        }
        await hasBegun.pass()
        await connection?.close()
        connection = nil
        mayGoOn.open()
        #expect(try await within(.seconds(10), "the end of the task") { await task.value })
        #expect(
            try await within(.seconds(10), "a new task") { await Task(executorPreference: executor) { true }.value })
    }

    /// Though a task still has its thread.
    @Test func aConnectionThatIsDroppedClosesItsSocket() async throws {
        let (isClosed, hasBegun, mayEnd) = (Gate(), Gate(), Gate())
        try await withFakeBroker({ peer, _ in
            try peer.login()
            peer.waitForEnd()
            isClosed.open()
        }) { broker in
            var connection: AMQPConnection? = try await AMQPConnection.connect(broker.configuration)
            let task = Task(executorPreference: connection?.taskExecutor) {
                hasBegun.open()
                await mayEnd.pass()
            }
            await hasBegun.pass()
            // So that the thread sleeps again, and nothing but the end wakes it.
            try await Task.sleep(for: .milliseconds(50))
            connection = nil
            try await within(.seconds(10), "the end of the socket") { await isClosed.pass() }
            mayEnd.open()
            await task.value
        }
    }

    /// A task that is always ready takes turns with the loop.
    @Test func aBusyTaskHoldsUpNoHeartbeats() async throws {
        var configuration = try await SharedBroker.quiet.value.configuration
        configuration.heartbeat = .seconds(1)
        try await withConnection(to: configuration) { connection in
            let end = ContinuousClock.now + .seconds(4)
            try await within(.seconds(30), "the end of the busy task") {
                await withTaskExecutorPreference(connection.taskExecutor) {
                    while ContinuousClock.now < end {
                        await Task.yield()
                        #expect(connection.isOnItsThread)
                    }
                }
            }
            // A round trip, so that what the broker did meanwhile is known.
            let error = try await failure("a look at no queue") {
                _ = try await connection.inspect(queue: unique("none"))
            }
            #expect(error.code == .notFound)
            #expect(connection.status.recoveries == 0 && connection.status.isReady)
        }
    }
}

extension AMQPConnection {
    fileprivate nonisolated var isOnItsThread: Bool {
        (thread as? BlockingThread)?.executor.isIsolatingCurrentContext() == true
    }
}
