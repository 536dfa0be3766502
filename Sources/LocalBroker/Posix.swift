#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The few calls of the operating system that a local broker needs, with errors as values. Everything unsafe of this
/// module is in this file and in Loopback.swift.
enum Posix {
    static var processIdentifier: Int32 { getpid() }

    static var isRoot: Bool { geteuid() == 0 }

    static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    // MARK: Files

    static func exists(_ path: String) -> Bool {
        unsafe access(path, F_OK) == 0
    }

    static func isExecutable(_ path: String) -> Bool {
        unsafe access(path, X_OK) == 0
    }

    /// The names in a folder, sorted; none when it cannot be read.
    static func names(in folder: String) -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 1) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." {
                names.append(name)
            }
        }
        return names.sorted()
    }

    /// Makes a folder that only its owner can enter, and those above it where they are missing.
    static func makeDirectory(_ path: String) throws(LocalBrokerError) {
        if unsafe mkdir(path, 0o700) == 0 || (errno == EEXIST && isDirectory(path)) { return }
        if errno == ENOENT, let parent = parent(of: path) {
            try makeDirectory(parent)
            if unsafe mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        }
        throw failure("cannot make the folder \(path)")
    }

    static func makeTemporaryDirectory() throws(LocalBrokerError) -> String {
        var base = environment("TMPDIR") ?? ""
        if !base.hasPrefix("/") { base = "/tmp" }
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        try LocalBrokerOptions.validate(dataDirectory: base)
        var template = Array("\(base)/local-broker-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw failure("cannot make a temporary folder in \(base)")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let current = unsafe getcwd(nil, 0) else { return path }
        defer { unsafe free(current) }
        return unsafe String(cString: current) + "/" + path
    }

    static func parent(of path: String) -> String? {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return nil }
        return String(path[..<slash])
    }

    static func removeFile(_ path: String) {
        unsafe unlink(path)
    }

    static func link(_ path: String, to target: String) throws(LocalBrokerError) {
        guard unsafe symlink(target, path) == 0 || errno == EEXIST else {
            throw failure("cannot make the link \(path)")
        }
    }

    static func write(_ text: String, to path: String, permissions: FilePermissions = .ownerReadWrite)
        throws(LocalBrokerError)
    {
        do {
            let file = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: permissions)
            try file.closeAfter { _ = try file.writeAll(text.utf8) }
        } catch {
            throw LocalBrokerError(.fileSystem, "cannot write \(path): \(error)")
        }
    }

    static func read(_ path: String, limit: Int = 1 << 20) -> String? {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
        return try? file.closeAfter { try text(of: file, limit: limit) }
    }

    /// The end of a file, beginning with a whole line; nothing when it cannot be read.
    static func tail(of path: String, limit: Int = 8192) -> String? {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
        return try? file.closeAfter {
            let size = try file.seek(offset: 0, from: .end)
            let start = max(0, size - Int64(limit))
            try file.seek(offset: start, from: .start)
            let end = try text(of: file, limit: limit)
            guard start > 0, let newline = end.firstIndex(where: \.isNewline) else { return end }
            return String(end[end.index(after: newline)...])
        }
    }

    /// Takes the lock file, which stays locked until every copy of the descriptor, the guard's included, is closed.
    /// - Returns: the descriptor, or nil when another process holds the lock.
    static func lock(_ path: String) throws(LocalBrokerError) -> FileDescriptor? {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(
                FilePath(path), .readWrite, options: [.create, .append, .closeOnExec], permissions: .ownerReadWrite)
        } catch {
            throw LocalBrokerError(.fileSystem, "cannot open \(path): \(error)")
        }
        if flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 {
            ftruncate(file.rawValue, 0)
            return file
        }
        let reason = errno
        try? file.close()
        guard reason == EWOULDBLOCK else {
            throw LocalBrokerError(.fileSystem, "cannot lock \(path): \(Errno(rawValue: reason))")
        }
        return nil
    }

    // MARK: Processes

    static func send(_ signal: Int32, to process: Int32) {
        // Never a group, and never "everyone".
        if process > 1 { kill(process, signal) }
    }

    static func isAlive(_ process: Int32) -> Bool {
        process > 1 && (kill(process, 0) == 0 || errno == EPERM)
    }

    static let killSignal = SIGKILL
    static let stopSignal = SIGSTOP
    static let continueSignal = SIGCONT
    static let terminateSignal = SIGTERM

    /// Blocks the calling thread; only for a way out that cannot await.
    static func pause(milliseconds: UInt32) {
        usleep(milliseconds * 1000)
    }

    // MARK: -

    private static func isDirectory(_ path: String) -> Bool {
        unsafe access(path + "/.", F_OK) == 0
    }

    private static func text(of file: FileDescriptor, limit: Int) throws -> String {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let room = limit - bytes.count
            let part = try unsafe [UInt8](unsafeUninitializedCapacity: min(room, 65536)) { buffer, count in
                count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if part.isEmpty { break }
            bytes += part
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func failure(_ what: String) -> LocalBrokerError {
        LocalBrokerError(.fileSystem, "\(what): \(Errno(rawValue: errno))")
    }
}
