import Glibc
import Testing

@testable import ActorBus

@Suite struct IncomingBodyTests {
    private static let frame = 131_064

    private func storage(maximum: Int = 128 << 20, _ spool: BodySpool? = nil) -> BodyStorage {
        var configuration = ConnectionConfiguration()
        configuration.maximumBodySize = maximum
        configuration.spool = spool
        return BodyStorage(configuration)
    }

    /// Puts a body of `size` bytes in, in pieces.
    private func receive(_ size: Int, piece: Int = frame, _ storage: BodyStorage) -> Message.Body {
        var body = IncomingBody(size: Int64(size), storage: storage)
        let bytes = Sample.bytes(size)
        for start in stride(from: 0, to: size, by: piece) {
            if body.isWhole { Issue.record("whole after \(start) of \(size) bytes") }
            let isTaken = unsafe bytes[start..<min(size, start + piece)].withUnsafeBytes { unsafe body.append($0) }
            if !isTaken { Issue.record("not taken after \(start) of \(size) bytes") }
        }
        #expect(body.isWhole)
        return body.take()
    }

    /// An empty folder of the test's own.
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/var/tmp/\(unique("actorbus-test"))"
        try #require(unsafe mkdir(folder, 0o700) == 0)
        defer { unsafe rmdir(folder) }
        try body(folder)
    }

    /// The published examples of FIPS 180-4, and one that crosses blocks.
    @Test func digestsAreThoseOfTheStandard() {
        #expect(SHA256.digest(of: []) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            SHA256.digest(of: Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            SHA256.digest(of: Array(repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    /// A container may have TMPDIR in memory and a disk elsewhere.
    @Test func aTemporaryFolderThatCannotBeUsedIsNotTheOnlyOne() {
        #expect(SpoolFile.folders(temporary: "/dev/shm") == ["/dev/shm", "/var/tmp"])
        #expect(SpoolFile.folders(temporary: nil) == ["/tmp", "/var/tmp"])
    }

    @Test(arguments: [0, 1, 1000, frame, frame + 1, 3_000_000])
    func aBodyUpToTheLimitIsInMemory(size: Int) {
        let isSame = receive(size, storage(maximum: size)) == .bytes(Sample.bytes(size))
        #expect(isSame)
    }

    /// Whatever is announced, memory for at most sixteen times of what has come is set aside, or for a megabyte; and the
    /// whole body takes no more than its size.
    @Test func nothingIsSetAsideOnAPeersWord() throws {
        let size = 40 << 20
        var body = IncomingBody(size: Int64(size), storage: storage())
        let piece = [UInt8](repeating: 7, count: Self.frame)
        var received = 0
        while received < size {
            let count = min(piece.count, size - received)
            let isTaken = unsafe piece[..<count].withUnsafeBytes { unsafe body.append($0) }
            #expect(isTaken)
            received += count
            // The allocator rounds up.
            #expect(body.capacity <= max(1 << 20, 16 * received) + 8192)
        }
        #expect(body.capacity <= size + 8192)
        guard case .bytes(let bytes) = body.take() else { throw Overdue(description: "not in memory") }
        #expect(bytes.count == size)
    }

    @Test func moreThanWasAnnouncedIsNotTaken() {
        var body = IncomingBody(size: 3, storage: storage())
        let isTaken = unsafe [1, 2, 3, 4].withUnsafeBytes { unsafe body.append($0) }
        #expect(!isTaken)
    }

    @Test(arguments: [1, 1000, frame]) func aLargerBodyIsSpooled(piece: Int) throws {
        try withFolder { folder in
            let size = piece * 5 + 1
            let spool = BodySpool(threshold: size - 1, folder: folder)
            guard case .large(let body) = receive(size, piece: piece, storage(spool)) else {
                throw Overdue(description: "not spooled")
            }
            #expect(body.size == Int64(size) && body.fault == nil)
            #expect(body.sha256 == SHA256.digest(of: Sample.bytes(size)))
            let isSame = try body.read(at: 0, count: size) == Sample.bytes(size)
            #expect(isSame)
            #expect(try body.read(at: Int64(size) - 3, count: 100) == Array(Sample.bytes(size).suffix(3)))
            #expect(try body.read(at: Int64(size) + 3, count: 100) == [])
            let isInMemory = receive(size - 1, piece: piece, storage(spool)) == .bytes(Sample.bytes(size - 1))
            #expect(isInMemory)
            // The file has no name, so nothing is left of it.
            #expect(unsafe rmdir(folder) == 0)
        }
    }

    /// Where no file can be made, size and digest are known all the same, and why there are no bytes.
    @Test(arguments: [
        (BodySpool(threshold: 10, folder: "/no/such/folder"), "/no/such/folder"),
        (BodySpool(threshold: 10, folder: "/proc"), "/proc"),
        (BodySpool(threshold: 10, maximumSize: 999), "at most 999 bytes are spooled"),
        (nil, "at most 500 bytes are held in memory"),
    ])
    func aBodyThatCannotBeKeptIsDroppedAndSaidSo(spool: BodySpool?, words: String) throws {
        guard case .large(let body) = receive(1_000, piece: 100, storage(maximum: 500, spool)) else {
            throw Overdue(description: "kept")
        }
        #expect(body.fault?.contains(words) == true)
        #expect(body.size == 1_000 && body.sha256 == SHA256.digest(of: Sample.bytes(1_000)))
        let error = #expect(throws: AMQPError.self) { try body.read(at: 0, count: 1) }
        #expect(error?.code == .invalidMessage)
    }

    /// A disk that is full while the body arrives.
    @Test func aDiskThatIsFullIsSaidSo() throws {
        let file = try SpoolFile.opened("/dev/full")
        let spooling = BodySpooling(size: 5, file: file)
        for byte in 1...5 as ClosedRange<UInt8> { unsafe [byte].withUnsafeBytes { unsafe spooling.append($0) } }
        let body = spooling.finish()
        #expect(body.fault?.contains("No space left") == true)
        #expect(body.size == 5 && body.sha256 == SHA256.digest(of: [1, 2, 3, 4, 5]))
    }

    /// What a system with 32-bit positions cannot reach is an error and no trap.
    @Test func positionsBeyondTheSystemsAreNone() {
        #expect(SpoolFile.position(1 << 31 - 2, 1, as: Int32.self) == Int32.max)
        #expect(SpoolFile.position(1 << 31 - 1, 1, as: Int32.self) == nil)
        #expect(SpoolFile.position(1 << 31, 0, as: Int32.self) == nil)
        #expect(SpoolFile.position(-1, 0, as: Int32.self) == nil)
        #expect(SpoolFile.position(.max, 1, as: Int64.self) == nil)
        #expect(SpoolFile.position(.max - 1, 1, as: Int64.self) == .max)
    }

    @Test func aBodyOfAReturnIsKnownByItsDigest() throws {
        let size = 100_000
        guard case .large(let body) = receive(size, .forReturns) else { throw Overdue(description: "kept") }
        #expect(body.sha256 == SHA256.digest(of: Sample.bytes(size)))
        let isInMemory = receive(64 << 10, .forReturns) == .bytes(Sample.bytes(64 << 10))
        #expect(isInMemory)
    }
}
