// What the checked files use and their builds for checks do not have.

#if hasFeature(Embedded)
    extension String {
        /// The full standard library's comes from a module that Embedded Swift lacks.
        func contains(_ part: String) -> Bool {
            part.isEmpty || utf8.indices.contains { utf8[$0...].starts(with: part.utf8) }
        }
    }
#endif

/// In place of a file, which there is none of.
final class SpoolFile: Sendable {
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int64) throws(AMQPError) {}
    func checkReadable(size: Int64) throws(AMQPError) {}
}

/// In place of the network: what is written can be read again, in pieces of at most `piece` bytes.
final class Socket: ByteStream {
    private(set) var bytes: [UInt8]
    private var position = 0
    private let piece: Int

    init(piece: Int, bytes: [UInt8] = []) {
        self.piece = piece
        self.bytes = bytes
    }

    func read(into target: UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int {
        let count = min(target.count, piece, bytes.count - position)
        unsafe target.copyBytes(from: bytes[position..<position + count])
        position += count
        return count
    }

    func write(_ source: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        let count = min(source.count, piece)
        unsafe bytes.append(contentsOf: source.prefix(count))
        return count
    }
}
