import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The machine that was measured on.
struct Machine: Codable, Sendable, Equatable {
    var name: String
    /// As `uname -m` has it: `x86_64`, `aarch64`, `armv7l`.
    var architecture: String
    /// The bits of a pointer, since a 64-bit kernel may run 32-bit programs.
    var bits: Int
    var processor: String
    var cores: Int
    var memoryMB: Int
    var kernel: String
    var system: String

    static func current() -> Machine {
        var names = utsname()
        _ = unsafe uname(&names)
        // x86 has "model name", 32-bit ARM also "Model" of the board, 64-bit ARM only that, or nothing.
        let cpu = KeyedText.file("/proc/cpuinfo", separator: ":")
        let memory = KeyedText.file("/proc/meminfo", separator: ":")["MemTotal"].flatMap {
            $0.split(separator: " ").first
        }
        return Machine(
            name: text(names.nodename), architecture: text(names.machine), bits: Int.bitWidth,
            processor: [cpu["model name"], cpu["Model"]].compactMap { $0 }.joined(separator: ", "),
            cores: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            memoryMB: memory.flatMap { Int($0) }.map { $0 / 1024 } ?? 0,
            kernel: text(names.release),
            system: KeyedText.file("/etc/os-release", separator: "=")["PRETTY_NAME"]?
                .trimmingCharacters(of: "\"") ?? "")
    }

    /// In one line, for people.
    var summary: String {
        let chip = processor.isEmpty ? "" : ", \(processor)"
        return
            "\(name): \(architecture) (\(bits)-bit)\(chip), \(cores) cores, \(memoryMB) MB, \(system), Linux \(kernel)"
    }

    /// A fixed array of C's, up to its zero.
    private static func text<Field>(_ field: Field) -> String {
        unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension String {
    fileprivate func trimmingCharacters(of character: Character) -> String {
        String(drop { $0 == character }.reversed().drop { $0 == character }.reversed())
    }
}
