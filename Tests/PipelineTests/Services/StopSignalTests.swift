import ActorBus
import Testing

@testable import Pipeline

@Suite(.timeLimit(.minutes(1))) struct StopSignalTests {
    @Test func `ends a sleep that is under way, and every later one at once`() async {
        let signal = StopSignal()
        let (asleep, tell) = AsyncStream<Void>.makeStream()
        let sleeper = Task {
            do {
                try await signal.untilStopped {
                    tell.yield()
                    try await Task.sleep(for: .seconds(3600))
                }
                return false
            } catch {
                return error is CancellationError
            }
        }
        for await _ in asleep { break }
        #expect(!signal.isStopped)
        signal.stop()
        #expect(await sleeper.value)
        #expect(signal.isStopped)
        await signal.sleep(for: .seconds(3600))
    }

    @Test func `gives back what the operation gives`() async throws {
        #expect(try await StopSignal().untilStopped { 7 } == 7)
    }

    @Test func `calls each handler once, also one that comes late`() {
        let signal = StopSignal()
        let calls = Lock(0)
        signal.onStop { calls.withLock { $0 += 1 } }
        signal.stop()
        signal.stop()
        #expect(calls.withLock { $0 } == 1)
        signal.onStop { calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 2)
    }

    @Test func `work in hand does not see the cancellation, and is waited for`() async throws {
        let (began, tell) = AsyncStream<Void>.makeStream()
        let finished = Lock(false)
        let running = Task {
            try await withDrain(within: DrainTime(.seconds(3600))) { signal in
                tell.yield()
                await signal.sleep(for: .seconds(3600))
                #expect(!Task.isCancelled)
                finished.withLock { $0 = true }
            }
        }
        for await _ in began { break }
        running.cancel()
        try await running.value
        #expect(finished.withLock { $0 })
    }

    @Test func `work that is not finished in time is cancelled, and said to be`() async {
        let (began, tell) = AsyncStream<Void>.makeStream()
        let running = Task {
            try await withDrain(within: DrainTime(.milliseconds(10))) { _ in
                tell.yield()
                try await Task.sleep(for: .seconds(3600))
            }
        }
        for await _ in began { break }
        running.cancel()
        let error = await #expect(throws: AMQPError.self) { try await running.value }
        #expect(error?.code == .drainTimedOut)
    }

    @Test func `an error of the work stays itself`() async {
        await #expect(throws: MalformedMessage("no")) {
            try await withDrain(within: DrainTime(.seconds(1))) { _ in throw MalformedMessage("no") }
        }
    }
}
