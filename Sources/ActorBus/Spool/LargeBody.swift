/// The body of a message that is not held in memory: its size and digest, and, where it was kept, its bytes in a file.
///
/// The file has no name, so nobody else sees it, and it is gone with the last reference. A message with such a body can be
/// published like any other; it is then read piece by piece. When its bytes are not there, `publish` throws
/// ``AMQPError/Code/invalidMessage``, for which the same body is not to be tried again. That is looked at before the first
/// byte is sent; a disk that fails later ends the connection, which comes back by itself. See ``BodySpool``.
public final class LargeBody: Sendable {
    /// In bytes.
    public let size: Int64
    /// The SHA-256 digest of the whole body, as 64 hexadecimal digits. It is known even where the bytes were not kept.
    public let sha256: String
    /// Why the bytes were not kept; nil when they were.
    public let fault: String?
    private let file: SpoolFile?

    init(size: Int64, sha256: String, file: SpoolFile) {
        self.size = size
        self.sha256 = sha256
        self.file = file
        fault = nil
    }

    init(size: Int64, sha256: String, fault: String) {
        self.size = size
        self.sha256 = sha256
        self.fault = fault
        file = nil
    }

    /// Reads `count` bytes from `offset` on, or fewer at the end. Blocks while the file is read.
    ///
    /// - Throws: ``AMQPError`` with `invalidMessage` when the bytes were not kept, and `systemResource` when they cannot
    ///   be read.
    public func read(at offset: Int64, count: Int) throws(AMQPError) -> [UInt8] {
        let length = max(0, min(Int64(count), size - max(0, offset)))
        var bytes = [UInt8](repeating: 0, count: Int(length))
        var failure: AMQPError?
        unsafe bytes.withUnsafeMutableBytes { target in
            do throws(AMQPError) { try unsafe read(into: target, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Fills `target` from `offset` on.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int64) throws(AMQPError) {
        guard let file else { throw notKept }
        guard target.count > 0 else { return }
        try unsafe file.read(into: target, at: offset)
    }

    /// Throws `invalidMessage` when it can be seen before it is published that its bytes are not all there.
    func checkReadable() throws(AMQPError) {
        guard fault == nil, let file else { throw notKept }
        do {
            try file.checkReadable(size: size)
        } catch {
            throw AMQPError(
                .invalidMessage, "the message's body of \(size) bytes is not at hand: \(error.message)",
                remedy: error.remedy, cause: error.code)
        }
    }

    /// What publishing it comes to when its bytes are gone.
    var notKept: AMQPError {
        AMQPError(
            .invalidMessage, "the message's body of \(size) bytes is not at hand: \(fault ?? "it was not kept")",
            remedy: "give the spool a folder on a disk with room for it")
    }
}

extension LargeBody: Equatable {
    /// Whether both have the same bytes, as size and digest tell.
    public static func == (left: LargeBody, right: LargeBody) -> Bool {
        left.size == right.size && left.sha256 == right.sha256
    }
}
