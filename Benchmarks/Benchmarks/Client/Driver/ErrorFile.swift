import FoundationEssentials

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// A file for what a child writes to standard error: it is read only when the child fails.
struct ErrorFile {
    let descriptor: FileDescriptor
    private let path: String

    init() throws {
        path = TemporaryFiles.path("stderr")
        descriptor = try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
    }

    /// The last of it.
    func text() -> String {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { return "" }
        return String(decoding: data.suffix(4096), as: UTF8.self)
    }

    func remove() { TemporaryFiles.remove(path) }
}

/// Files of this process alone.
enum TemporaryFiles {
    static func path(_ name: String) -> String {
        FileManager.default.temporaryDirectory.appending(
            path: "actorbus-bench-\(ProcessInfo.processInfo.processIdentifier)-\(UUID().uuidString)-\(name)"
        ).path(percentEncoded: false)
    }

    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
