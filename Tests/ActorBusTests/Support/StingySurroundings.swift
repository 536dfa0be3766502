@testable import ActorBus

extension World {
    /// The machine's, with a network that takes and gives so many bytes at a time, and every second time none at all.
    static func stingy(_ bytes: Int) -> World { World(StingySurroundings(bytes: bytes)) }
}

private final class StingySurroundings: Surroundings {
    private let real = World.real.surroundings
    private let bytes: Int

    init(bytes: Int) { self.bytes = bytes }

    var now: Instant { real.now }
    var calendarTime: Int64 { real.calendarTime }
    var taskExecutor: (any TaskExecutor)? { real.taskExecutor }

    func randomNumber() -> UInt64 { real.randomNumber() }
    func sleep(for duration: Duration) async throws { try await real.sleep(for: duration) }

    func addresses(
        of endpoint: ConnectionConfiguration.Endpoint, timeout: Duration
    ) async throws -> [ResolvedAddress] { try await real.addresses(of: endpoint, timeout: timeout) }

    func connect(to address: ResolvedAddress, _ liveness: Liveness) throws(AMQPError) -> any Transport {
        StingyTransport(try real.connect(to: address, liveness), bytes: bytes)
    }

    func makeThread(name: String) throws(AMQPError) -> any LoopThread { try real.makeThread(name: name) }
}

private final class StingyTransport: Transport {
    private let stream: any Transport
    private let bytes: Int
    private var (reads, writes) = (0, 0)

    init(_ stream: any Transport, bytes: Int) {
        self.stream = stream
        self.bytes = bytes
    }

    var descriptor: CInt { stream.descriptor }
    var wantsWrite: Bool { stream.wantsWrite }
    func finishConnecting() throws(AMQPError) -> Bool { try stream.finishConnecting() }
    func close() { stream.close() }

    func read(into target: UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int {
        reads += 1
        guard reads % 2 == 0 else { return 0 }
        return try unsafe stream.read(into: UnsafeMutableRawBufferPointer(rebasing: target.prefix(bytes)))
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        writes += 1
        guard writes % 2 == 0 else { return 0 }
        return try unsafe stream.write(UnsafeRawBufferPointer(rebasing: buffer.prefix(bytes)))
    }
}
