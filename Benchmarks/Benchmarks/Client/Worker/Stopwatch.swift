#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Tells the driver that the set-up is done, waits for its word, and measures.
///
/// Both waits block the calling thread, as those of the other contenders do: nothing else is to happen meanwhile.
struct Stopwatch {
    private let wall: ContinuousClock.Instant
    private let cpu: Int64

    init() throws {
        Lines.put("ready")
        guard readLine() != nil else { throw BenchmarkError("the driver is gone") }
        wall = .now
        cpu = Self.cpuNanoseconds()
    }

    /// Stops, reports, and waits until the driver has read what it wants of this process.
    func report(count: Int, bytes: Int64) {
        let wall = (ContinuousClock.now - wall).nanoseconds
        let cpu = Self.cpuNanoseconds() - cpu
        Lines.put("{\"count\":\(count),\"bytes\":\(bytes),\"wall_ns\":\(wall),\"cpu_ns\":\(cpu)}")
        while readLine() != nil {}
    }

    private static func cpuNanoseconds() -> Int64 {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let seconds = Int64(usage.ru_utime.tv_sec) + Int64(usage.ru_stime.tv_sec)
        let microseconds = Int64(usage.ru_utime.tv_usec) + Int64(usage.ru_stime.tv_usec)
        return seconds * 1_000_000_000 + microseconds * 1_000
    }
}

extension Duration {
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
