// `environ` is a plain global of C; it is read once, before anything else runs, and nothing here ever sets a variable.
#if canImport(Glibc)
    @unsafe @preconcurrency import Glibc
#elseif canImport(Musl)
    @unsafe @preconcurrency import Musl
#endif

/// What the process was given by whoever started it.
enum ProcessEnvironment {
    /// All variables.
    static func variables() -> [String: String] {
        var variables: [String: String] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            unsafe next += 1
        }
        return variables
    }

    /// The longest file that is read, in bytes: far more than a password has.
    private static let longestFile = 64 * 1024

    /// The text of a small file. Throws what the system said.
    static func readFile(_ path: String) throws -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unreadable(unsafe String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Unreadable(unsafe String(cString: strerror(errno))) }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= longestFile else { throw Unreadable("it is longer than \(longestFile) bytes") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Unreadable("it is no UTF-8 text") }
        return text
    }
}
