import ArgumentParser
import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// ActorBus at the work that every contender does; the environment says which.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker", shouldDisplay: false)

    @Flag(help: "Run the tasks on their connection's thread.") var onThread = false

    func run() async throws {
        let order = try WorkOrder(environment: ProcessInfo.processInfo.environment)
        // Whatever becomes of the driver, this process does not stay.
        alarm(UInt32(clamping: order.limit))
        let worker = ActorBusWorker(order: order, onThread: onThread)
        switch order.work {
        case .publish, .send: try await worker.send()
        case .confirm: try await worker.publish()
        case .consume: try await worker.consume()
        case .latency: try await worker.latency()
        case .idle: try await worker.idle()
        case .delete: throw BenchmarkError("this worker deletes nothing")
        }
    }
}
