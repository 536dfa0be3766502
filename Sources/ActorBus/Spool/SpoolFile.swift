internal import Glibc

/// A file without a name for one body. It is gone when it is let go, and with the process however that ends.
final class SpoolFile: Sendable {
    private let descriptor: CInt

    private init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Makes one where `spool` says, under a name that is taken away at once. Throws with why there can be none.
    static func make(for spool: BodySpool, named name: String) throws(SpoolFault) -> SpoolFile {
        if let folder = spool.folder { return try make(name, in: folder) }
        var reasons: [String] = []
        for folder in folders(temporary: unsafe getenv("TMPDIR").map { unsafe String(cString: $0) }) {
            do {
                let file = try make(name, in: folder)
                guard SystemCalls.liesInMemory(file.descriptor) else { return file }
                reasons.append("'\(folder)' lies in memory")
            } catch {
                reasons.append(error.reason)
            }
        }
        throw SpoolFault(reasons.joined(separator: ", "))
    }

    /// Where one may be made, the best first.
    static func folders(temporary: String?) -> [String] { [temporary ?? "/tmp", "/var/tmp"] }

    private static func make(_ name: String, in folder: String) throws(SpoolFault) -> SpoolFile {
        let path = "\(folder)/\(name)"
        let file = try opened(path, O_CREAT | O_EXCL)
        guard unsafe unlink(path) == 0 else {
            throw SpoolFault("the name of '\(path)' cannot be taken away: \(Socket.text(errno))")
        }
        return file
    }

    static func opened(_ path: String, _ flags: CInt = 0) throws(SpoolFault) -> SpoolFile {
        let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC | flags, 0o600)
        guard descriptor >= 0 else { throw SpoolFault("'\(path)' cannot be opened: \(Socket.text(errno))") }
        return SpoolFile(descriptor: descriptor)
    }

    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SpoolFault) {
        var written = 0
        while written < bytes.count {
            guard let position = Self.position(offset, written, as: off_t.self) else {
                throw SpoolFault("no file of this system goes on from byte \(offset)")
            }
            let count = unsafe pwrite(descriptor, bytes.baseAddress! + written, bytes.count - written, position)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw SpoolFault("the file cannot be written: \(Socket.text(errno))") }
            written += count
        }
    }

    /// Fills `target` from `offset` on.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int64) throws(AMQPError) {
        var taken = 0
        while taken < target.count {
            guard let position = Self.position(offset, taken, as: off_t.self) else {
                throw AMQPError(
                    .systemResource, "the spooled body cannot be read: no file of this system has a byte \(offset)")
            }
            let count = unsafe pread(descriptor, target.baseAddress! + taken, target.count - taken, position)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw AMQPError(
                    .systemResource,
                    "the spooled body cannot be read: \(count == 0 ? "it ends early" : Socket.text(errno))",
                    remedy: "check the disk")
            }
            taken += count
        }
    }

    /// Throws when the file is not `size` bytes long, or its first or last byte cannot be read.
    func checkReadable(size: Int64) throws(AMQPError) {
        var failure: AMQPError?
        for offset in [0, size - 1] where size > 0 && failure == nil {
            unsafe withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { target in
                do throws(AMQPError) { try unsafe read(into: target, at: offset) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }

    /// The position `count` bytes behind `offset`, where the system's type for positions has it (32 bits on some).
    static func position<Offset: FixedWidthInteger>(_ offset: Int64, _ count: Int, as: Offset.Type) -> Offset? {
        let (sum, overflow) = offset.addingReportingOverflow(Int64(count))
        return overflow || sum < 0 ? nil : Offset(exactly: sum)
    }
}

/// Why a body could not be kept in a file.
struct SpoolFault: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
