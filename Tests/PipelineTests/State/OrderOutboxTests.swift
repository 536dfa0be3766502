import Dispatch
import Testing

@testable import Pipeline

/// An executor on one queue of its own, which knows its own work.
private final class QueueExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "outbox")
    private static let key = DispatchSpecificKey<Bool>()

    init() {
        queue.setSpecific(key: Self.key, value: true)
    }

    static var isCurrent: Bool { DispatchQueue.getSpecific(key: key) == true }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

@Suite("Order outbox")
struct OrderOutboxTests {
    private func order(_ orderID: Int64) -> Order {
        OrderContents(seed: 1, orderID: orderID).order(orderID, at: Timestamp(clamping: 1_767_781_800_123))
    }

    @Test("does its work on the executor it was given")
    func executor() async throws {
        let folder = try TemporaryFolder()
        let outbox = try await OrderOutbox.open(in: folder.directory, executor: QueueExecutor())
        let recorded = try await outbox.writeDown(count: 2) { orderID in
            #expect(QueueExecutor.isCurrent)
            return order(orderID)
        }
        #expect(!QueueExecutor.isCurrent)
        #expect(try await outbox.unconfirmed() == recorded)
        try await outbox.markConfirmed([1])
        #expect(try await outbox.unconfirmed().map(\.orderID) == [2])
        await outbox.close()
    }

    @Test("gives every order a number of its own, however many tasks ask at once")
    func manyTasks() async throws {
        let folder = try TemporaryFolder()
        let outbox = try await OrderOutbox.open(in: folder.directory, executor: QueueExecutor())
        let numbers = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<20 {
                group.addTask { try await outbox.writeDown(count: 3) { order($0) }.map(\.orderID) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(numbers.sorted() == Array(1...60))
        await outbox.close()
    }

    @Test("lets go of the folder when it is closed, and says so to whoever still asks")
    func closing() async throws {
        let folder = try TemporaryFolder()
        let outbox = try await OrderOutbox.open(in: folder.directory, executor: QueueExecutor())
        await #expect { try await OrderOutbox.open(in: folder.directory, executor: QueueExecutor()) } throws: {
            ($0 as? StateError)?.code == .inUse
        }
        await outbox.close()
        await #expect { try await outbox.unconfirmed() } throws: { ($0 as? StateError)?.code == .closed }
        await #expect { try await outbox.markConfirmed([1]) } throws: { ($0 as? StateError)?.code == .closed }
        await #expect { try await outbox.writeDown(count: 1) { order($0) } } throws: {
            ($0 as? StateError)?.code == .closed
        }
        let again = try await OrderOutbox.open(in: folder.directory, executor: QueueExecutor())
        #expect(try await again.unconfirmed().isEmpty)
        await again.close()
    }
}
