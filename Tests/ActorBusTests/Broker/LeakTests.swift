import LocalBroker
import Testbed
import Testing

@testable import ActorBus

/// Connections that come and go leave nothing behind. In processes of their own, where nobody else opens and closes things.
///
/// One after the other, since each holds a thread of the pool while it waits for its process.
@Suite(.logsOnFailure, .serialized, .timeLimit(.minutes(5))) struct LeakTests {
    @Test(arguments: [false, true], [false, true])
    func threadsAndDescriptorsAreBackWhereTheyWere(closing: Bool, onThread: Bool) async throws {
        let port = try await SharedBroker.quiet.value.nodes[0].amqpPort
        await #expect(processExitsWith: .success) {
            [port = port as UInt16, closing = closing as Bool, onThread = onThread as Bool] in
            let configuration = ConnectionConfiguration(endpoints: [.init(host: "127.0.0.1", port: port)])
            func round() async throws {
                let connection = try await AMQPConnection.connect(configuration)
                let publisher = try await connection.publisher()
                try await withTaskExecutorPreference(onThread ? connection.taskExecutor : nil) {
                    try await publisher.publish(Message(text: "m"), to: "", routingKey: "none", mandatory: false)
                }
                if closing { await connection.close() }
            }
            func isSettled(_ threads: Int, _ descriptors: Int) async throws -> Bool {
                for _ in 0..<1_000 {
                    if ProcessFacts.threads <= threads, ProcessFacts.descriptors <= descriptors { return true }
                    try await Task.sleep(for: .milliseconds(10))
                }
                return false
            }
            // The first makes what the runtime keeps.
            for _ in 0..<5 { try await round() }
            try await Task.sleep(for: .milliseconds(300))
            let (threads, descriptors) = (ProcessFacts.threads, ProcessFacts.descriptors)
            for number in 0..<500 {
                try await round()
                // Not more than a few at once, however fast they come.
                if number % 50 == 0, try await !isSettled(threads, descriptors) { break }
            }
            guard try await isSettled(threads, descriptors) else {
                fatalError(
                    "threads \(threads) -> \(ProcessFacts.threads), descriptors \(descriptors) -> \(ProcessFacts.descriptors)"
                )
            }
        }
    }

    @Test func failedConnectsLeaveNothingBehind() async throws {
        let port = try LoopbackSocket.deadPort.get()
        await #expect(processExitsWith: .success) { [port = port as UInt16] in
            var configuration = ConnectionConfiguration(endpoints: [.init(host: "127.0.0.1", port: port)])
            configuration.connectAttempts = 1
            func round() async { _ = try? await AMQPConnection.connect(configuration) }
            for _ in 0..<5 { await round() }
            try await Task.sleep(for: .milliseconds(300))
            let (threads, descriptors) = (ProcessFacts.threads, ProcessFacts.descriptors)
            for _ in 0..<400 { await round() }
            for _ in 0..<1_000 where ProcessFacts.threads > threads || ProcessFacts.descriptors > descriptors {
                try await Task.sleep(for: .milliseconds(10))
            }
            guard ProcessFacts.threads <= threads, ProcessFacts.descriptors <= descriptors else {
                fatalError(
                    "threads \(threads) -> \(ProcessFacts.threads), descriptors \(descriptors) -> \(ProcessFacts.descriptors)"
                )
            }
        }
    }
}
