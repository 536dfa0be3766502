#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import FoundationEssentials

/// What `/proc` says of a process.
enum ProcessFigures {
    struct Memory {
        var residentMB: Double
        /// RssAnon.
        var privateMB: Double
    }

    static func memory(of process: Int32) throws -> Memory {
        let status = KeyedText.file("/proc/\(process)/status", separator: ":")
        func megabytes(_ key: String) throws -> Double {
            guard let kilobytes = status[key]?.split(separator: " ").first.flatMap({ Double($0) }) else {
                throw BenchmarkError("/proc/\(process)/status has no \(key)")
            }
            return kilobytes / 1024
        }
        return try Memory(residentMB: megabytes("VmRSS"), privateMB: megabytes("RssAnon"))
    }

    /// User and system time together, in steps of a clock tick, mostly 10 ms.
    static func cpuSeconds(of process: Int32) throws -> Double {
        let path = "/proc/\(process)/stat"
        let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        // The name, in parentheses, may have spaces in it; utime and stime are the 12th and 13th after it.
        guard let fields = text.lastIndex(of: ")").map({ text[text.index(after: $0)...].split(separator: " ") }),
            fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else { throw BenchmarkError("\(path) is not as expected: \(text)") }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
