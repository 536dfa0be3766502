#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the room for state needs of the operating system, with the error number beside each answer.
enum SystemCall {
    /// Makes a folder that only its owner may enter. 0, or the error number.
    static func makeFolder(_ path: String) -> CInt {
        unsafe mkdir(path, 0o700) == 0 ? 0 : errno
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0
    }

    /// Whether this process may make files in a folder. 0, or the error number.
    static func mayWrite(_ path: String) -> CInt {
        unsafe access(path, W_OK | X_OK) == 0 ? 0 : errno
    }

    /// Opens or makes a file that only its owner may read, not handed on to child processes.
    static func openFile(_ path: String) -> (descriptor: CInt, error: CInt) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        return (descriptor, descriptor < 0 ? errno : 0)
    }

    /// The size of a file in bytes; nil where there is none.
    static func size(of path: String) -> Int64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// Removes a file where there is one.
    static func removeFile(_ path: String) { _ = unsafe unlink(path) }

    /// Gives a file another name, for good once this returns. 0, or the error number.
    static func rename(_ path: String, to name: String, in folder: String) -> CInt {
        #if canImport(Glibc)
            guard unsafe Glibc.rename(path, name) == 0 else { return errno }
        #elseif canImport(Musl)
            guard unsafe Musl.rename(path, name) == 0 else { return errno }
        #else
            guard unsafe Darwin.rename(path, name) == 0 else { return errno }
        #endif
        let descriptor = unsafe open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { closeFile(descriptor) }
        return fsync(descriptor) == 0 ? 0 : errno
    }

    /// What kind of network volume a folder is on; nil for a disk of the machine, or where the system does not say.
    static func networkVolume(at path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return networkVolume(at: unsafe String(cString: real), mounts: content(of: "/proc/self/mountinfo"))
    }

    /// - Parameters:
    ///   - path: absolute, without links.
    ///   - mounts: the lines of proc(5)'s `mountinfo`.
    static func networkVolume(at path: String, mounts: String) -> String? {
        let kinds: Set<Substring> = [
            "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "lustre", "gfs2", "ocfs2", "glusterfs",
            "beegfs",
        ]
        var (longest, kind): (Int, Substring?) = (-1, nil)
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 4, let dash = words.firstIndex(of: "-"), dash + 1 < words.count else { continue }
            // A blank in a path is written so.
            let point = words[4].split(separator: "\\040", omittingEmptySubsequences: false).joined(separator: " ")
            let isAbove = point == "/" || path == point || path.hasPrefix(point + "/")
            // The later of two at one place hides the earlier.
            if isAbove, point.utf8.count >= longest { (longest, kind) = (point.utf8.count, words[dash + 1]) }
        }
        guard let kind, kinds.contains(kind) || kind.hasPrefix("fuse") else { return nil }
        return String(kind)
    }

    /// A text file of the system's, as far as it can be read.
    private static func content(of path: String) -> String {
        let descriptor = openToRead(path)
        guard descriptor >= 0 else { return "" }
        defer { closeFile(descriptor) }
        var (text, piece): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 1 << 16))
        while true {
            let count = unsafe piece.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += piece.prefix(count)
        }
    }

    /// Opens a file that exists. The descriptor, or -1.
    static func openToRead(_ path: String) -> CInt {
        unsafe open(path, O_RDONLY | O_CLOEXEC)
    }

    /// When a file was last written to; nil where there is none.
    static func lastModified(_ path: String) -> Timestamp? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Timestamp(clampingSeconds: Int64(status.st_mtim.tv_sec))
    }

    /// The room on the disk of a folder that this user may fill; nil where the system does not say.
    static func freeBytes(at path: String) -> UInt64? {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return nil }
        return UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue
    }

    /// The first bytes of a file, as far as they can be read.
    static func beginning(of descriptor: CInt, atMost count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        return Array(bytes.prefix(max(read, 0)))
    }

    /// Replaces a file's content. 0, or the error number.
    static func replaceContent(of descriptor: CInt, with bytes: [UInt8]) -> CInt {
        guard ftruncate(descriptor, 0) == 0 else { return errno }
        let written = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        return written == bytes.count ? 0 : (written < 0 ? errno : ENOSPC)
    }

    /// Takes the lock of an open file without waiting. 0, or the error number.
    static func lock(_ descriptor: CInt, shared: Bool = false) -> CInt {
        while flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
            let error = errno
            if error != EINTR { return error }
        }
        return 0
    }

    static func closeFile(_ descriptor: CInt) {
        // Nothing is to be done where closing fails: the descriptor is gone either way.
        _ = close(descriptor)
    }

    static var processID: Int32 { getpid() }

    /// The system's words for an error number.
    static func words(for error: CInt) -> String {
        guard let text = unsafe strerror(error) else { return "error \(error)" }
        return unsafe String(cString: text)
    }
}
