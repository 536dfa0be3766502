internal import ActorBus

/// The client's end of a simulated stream.
final class SimulatedTransport: Transport {
    private let link: Link
    private let network: SimulatedNetwork

    init(_ link: Link, _ network: SimulatedNetwork) {
        self.link = link
        self.network = network
    }

    deinit { close() }

    var descriptor: CInt { link.descriptor }
    var wantsWrite: Bool { link.isConnecting }

    func finishConnecting() throws(AMQPError) -> Bool { try network.finishConnecting(link) }

    func read(into target: UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int {
        let bytes = try network.read(link, atMost: target.count)
        unsafe target.copyBytes(from: bytes)
        return bytes.count
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        try unsafe network.write(link, Array(bytes))
    }

    func close() { network.closeByClient(link) }
}
