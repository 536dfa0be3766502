#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What Linux says of this process in `/proc/self/stat`, see proc(5).
struct ProcessStatus: Equatable {
    let cpuSeconds: Double
    /// Clock ticks from the boot of the machine to the start of the process.
    let startTicks: UInt64
    let virtualBytes: UInt64
    let residentBytes: UInt64

    /// Reads the status now; nil where there is no `/proc`.
    static func read() -> ProcessStatus? {
        guard let text = ProcFile.text(of: "/proc/self/stat") else { return nil }
        return ProcessStatus(
            stat: text,
            ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
            pageBytes: UInt64(max(0, sysconf(Int32(_SC_PAGESIZE)))))
    }

    /// - Parameter stat: the line of `/proc/<pid>/stat`.
    init?(stat: String, ticksPerSecond: Double, pageBytes: UInt64) {
        // The second field is the command in parentheses and may itself hold spaces and parentheses.
        guard let close = stat.utf8.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[stat.utf8.index(after: close)...].split(whereSeparator: \.isWhitespace)
        // proc(5) counts from 1 and the command is field 2, so field n is here at n - 3.
        func field(_ number: Int) -> UInt64? {
            fields.count > number - 3 ? UInt64(fields[number - 3]) : nil
        }
        guard let user = field(14), let system = field(15), let start = field(22),
            let virtual = field(23), let residentPages = field(24), ticksPerSecond > 0
        else { return nil }
        cpuSeconds = Double(user + system) / ticksPerSecond
        startTicks = start
        virtualBytes = virtual
        residentBytes = residentPages * pageBytes
    }

    /// The start of the process in seconds since 1970; nil where there is no `/proc`.
    static func startSeconds() -> Double? {
        guard let status = read(), let stat = ProcFile.text(of: "/proc/stat"),
            let line = stat.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let boot = Double(line.dropFirst("btime ".count))
        else { return nil }
        return boot + Double(status.startTicks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// How many file descriptors are open; nil where there is no `/proc`.
    static func openFileDescriptors() -> Int? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var entries = 0
        while unsafe readdir(directory) != nil { entries += 1 }
        // Without ".", ".." and the descriptor of this very listing.
        return max(0, entries - 3)
    }

    /// How many file descriptors may be open.
    static func maximumFileDescriptors() -> UInt64? {
        var limit = rlimit()
        #if canImport(Glibc)
            let code = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
            let code = unsafe getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        return code == 0 ? UInt64(limit.rlim_cur) : nil
    }
}

/// Files of `/proc`, which have no size beforehand.
private enum ProcFile {
    /// The whole text; nil when it cannot be read.
    static func text(of path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes.append(contentsOf: chunk[..<count])
            } else if count == 0 {
                return String(decoding: bytes, as: UTF8.self)
            } else if errno != EINTR {
                return nil
            }
        }
    }
}
