#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A state folder held by this process alone, from the lock's making to its end.
///
/// The system lets go of the lock when the process ends in whatever way, so none is ever left behind. The file itself
/// stays: to remove it would let two processes lock two files of one name.
struct StateLock: ~Copyable {
    private let descriptor: CInt

    /// Takes the lock of a folder that exists, under a file name. Throws `inUse` where another process has it.
    init(_ directory: StateDirectory, name: String) throws(StateError) {
        let path = directory.file(name)
        let (descriptor, openError) = SystemCall.openFile(path)
        if openError != 0 { throw Self.unusable(path, openError) }
        let lockError = SystemCall.lock(descriptor)
        if lockError != 0 {
            let holder = Self.holder(descriptor)
            SystemCall.closeFile(descriptor)
            if lockError != EWOULDBLOCK { throw Self.unusable(path, lockError) }
            throw StateError(
                .inUse, "the state folder \(directory.path) is in use by \(holder)",
                remedy: "stop that process, or use another folder")
        }
        // For the reader of the error above only; a disk too full for it is reported by what needs the room.
        _ = SystemCall.replaceContent(of: descriptor, with: Array("\(SystemCall.processID)\n".utf8))
        self.descriptor = descriptor
    }

    deinit {
        SystemCall.closeFile(descriptor)
    }

    /// Who has the lock of a file, in words; nil where nobody has, or there is no such file.
    static func holder(of path: String) -> String? {
        let descriptor = SystemCall.openToRead(path)
        guard descriptor >= 0 else { return nil }
        defer { SystemCall.closeFile(descriptor) }
        // Let go of at once; a shared lock goes with every other but the holder's.
        return SystemCall.lock(descriptor, shared: true) == EWOULDBLOCK ? holder(descriptor) : nil
    }

    private static func holder(_ descriptor: CInt) -> String {
        let text = String(decoding: SystemCall.beginning(of: descriptor, atMost: 20), as: UTF8.self)
        guard let line = text.split(separator: "\n").first, let pid = Int32(line) else { return "another process" }
        return "the process with id \(pid)"
    }

    private static func unusable(_ path: String, _ error: CInt) -> StateError {
        StateError(
            .unusable, "cannot lock \(path): \(SystemCall.words(for: error))",
            remedy: "make the folder writable for this user, or use another")
    }
}
