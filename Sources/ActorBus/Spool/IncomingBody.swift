/// Where delivered bodies go: into memory up to a size, and beyond it into a file or, where there is none, nowhere.
struct BodyStorage: Sendable {
    /// The largest body that is held in memory, in bytes.
    let maximumInMemory: Int
    let spool: BodySpool?
    /// Where the names of files come from.
    private let world: World

    init(_ configuration: ConnectionConfiguration) {
        spool = configuration.spool
        world = configuration.world
        maximumInMemory = min(configuration.maximumBodySize, configuration.spool?.threshold ?? .max)
    }

    private init(maximumInMemory: Int) {
        self.maximumInMemory = maximumInMemory
        spool = nil
        world = .real
    }

    /// A name that no other file has.
    var fileName: String {
        var randomness = world.randomness
        return "actorbus-\(String(randomness.next(), radix: 16))"
    }

    /// For messages that come back: of a large one the digest is enough to know it by.
    static let forReturns = BodyStorage(maximumInMemory: 64 << 10)
}

/// A body while it arrives. Never more is set aside than sixteen times of what has come, or a megabyte: a peer may announce
/// much and send little.
struct IncomingBody {
    private var bytes: [UInt8] = []
    private var spooling: BodySpooling?
    private var missing: Int64

    /// No body at all.
    init() { missing = 0 }

    init(size: Int64, storage: BodyStorage) {
        missing = size
        if size > Int64(storage.maximumInMemory) { spooling = BodySpooling(size: size, storage: storage) }
    }

    var isWhole: Bool { missing == 0 }
    /// What is set aside in memory, in bytes.
    var capacity: Int { bytes.capacity }

    /// Adds a piece; false when that is more than was announced.
    mutating func append(_ piece: UnsafeRawBufferPointer) -> Bool {
        guard piece.count <= missing else { return false }
        missing -= Int64(piece.count)
        if let spooling {
            unsafe spooling.append(piece)
        } else if bytes.isEmpty && missing == 0 {
            bytes = unsafe Array(piece)
        } else {
            let count = bytes.count + piece.count
            if count > bytes.capacity {
                // Below what memory may hold, so below `Int.max`.
                let whole = Int(missing) + count
                bytes.reserveCapacity(max(count, min(whole, max(1 << 20, count > whole / 16 ? whole : 16 * count))))
            }
            unsafe bytes.append(contentsOf: piece)
        }
        return true
    }

    /// Takes the whole body out.
    mutating func take() -> Message.Body {
        defer { self = IncomingBody() }
        if let spooling { return .large(spooling.finish()) }
        return .bytes(bytes)
    }
}

/// A body that arrives and is not held in memory.
final class BodySpooling {
    private let size: Int64
    private var digest = SHA256()
    private var file: SpoolFile?
    private var fault: String?
    private var written: Int64 = 0

    init(size: Int64, storage: BodyStorage) {
        self.size = size
        guard let spool = storage.spool else {
            fault = "at most \(storage.maximumInMemory) bytes are held in memory"
            return
        }
        guard size <= spool.maximumSize else {
            fault = "at most \(spool.maximumSize) bytes are spooled"
            return
        }
        do {
            file = try SpoolFile.make(for: spool, named: storage.fileName)
        } catch {
            fault = error.reason
        }
    }

    init(size: Int64, file: SpoolFile) {
        self.size = size
        self.file = file
    }

    func append(_ piece: UnsafeRawBufferPointer) {
        unsafe digest.add(piece)
        guard let file else { return }
        do {
            try unsafe file.write(piece, at: written)
            written += Int64(piece.count)
        } catch {
            // What was written is given back at once, since others may need the room.
            self.file = nil
            fault = error.reason
        }
    }

    func finish() -> LargeBody {
        if let file { return LargeBody(size: size, sha256: digest.finish(), file: file) }
        return LargeBody(size: size, sha256: digest.finish(), fault: fault ?? "it was not kept")
    }
}
