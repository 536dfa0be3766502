internal import Glibc

/// How the kernel finds out that a peer is gone, beside AMQP's heartbeats: what keeps an idle path through routers open, and
/// ends what the heartbeats do not see, such as a connection without any.
package struct Liveness: Equatable, Sendable {
    /// Idle time before the kernel's first probe, in seconds (`TCP_KEEPIDLE`): the heartbeat that is asked for, and never
    /// above a minute, since a path through a router or load balancer may be forgotten after a few.
    let idle: CInt
    /// The time between probes, in seconds (`TCP_KEEPINTVL`), and how many may be lost (`TCP_KEEPCNT`).
    let interval: CInt
    let probes: CInt = 3
    /// How long what was sent may stay unacknowledged, in milliseconds (`TCP_USER_TIMEOUT`; with it the kernel also ends an
    /// idle connection whose probes are lost). Twice the heartbeat, as the heartbeats have it, but not below
    /// `blockedTimeout`: Linux counts the time in which the peer's window is closed, and a broker that blocks publishing
    /// stops reading.
    let userTimeout: CUnsignedInt

    init(_ configuration: ConnectionConfiguration) {
        let heartbeat = max(0, configuration.heartbeat.nanoseconds / 1_000_000_000)
        idle = CInt(heartbeat == 0 ? 60 : min(60, heartbeat))
        interval = max(1, idle / 3)
        let blocked = max(0, configuration.blockedTimeout.nanoseconds / 1_000_000)
        let (silence, overflow) = heartbeat.multipliedReportingOverflow(by: 2_000)
        userTimeout = CUnsignedInt(clamping: max(1_000, overflow ? .max : silence, blocked))
    }

    /// Sets what the kernel takes of it. What it refuses is done without: the heartbeats do not depend on it.
    func apply(to descriptor: CInt) {
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(descriptor, CInt(IPPROTO_TCP), TCP_KEEPIDLE, idle)
        set(descriptor, CInt(IPPROTO_TCP), TCP_KEEPINTVL, interval)
        set(descriptor, CInt(IPPROTO_TCP), TCP_KEEPCNT, probes)
        set(descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, CInt(bitPattern: userTimeout))
    }

    private func set(_ descriptor: CInt, _ level: CInt, _ option: CInt, _ value: CInt) {
        var value = value
        _ = unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }
}
