#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Timestamp {
    /// The moment that the machine's clock shows. Here, since the domain knows no clock.
    package static func now() -> Timestamp {
        var time = timespec()
        // Fails only for a clock that does not exist, and CLOCK_REALTIME always does.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(clamping: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
