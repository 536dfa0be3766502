#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Ports on 127.0.0.1: finding free ones, and asking whether a broker answers on one.
package enum Loopback {
    /// Finds ports that nobody listens on.
    ///
    /// They lie below the range from which systems take the ports of outgoing connections (32768 on Linux, 49152
    /// elsewhere), so none can be taken that way between this call and the server's, and clear of those of RabbitMQ's
    /// command-line tools.
    package static func freePorts(_ count: Int) throws(LocalBrokerError) -> [UInt16] {
        var found: [UInt16] = []
        for _ in 0..<1000 where found.count < count {
            let candidate = UInt16.random(in: 10_000..<32_000)
            if !found.contains(candidate), isFree(candidate) {
                found.append(candidate)
            }
        }
        guard found.count == count else {
            throw LocalBrokerError(.startFailed, "no \(count) free ports between 10000 and 32000 on 127.0.0.1")
        }
        return found
    }

    /// Whether something accepts connections on the port.
    package static func accepts(_ port: UInt16) async throws -> Bool {
        guard let socket = connection(to: port) else { return false }
        defer { close(socket) }
        return try await isReady(socket, for: POLLOUT, within: .seconds(1)) && pendingError(of: socket) == 0
    }

    /// Whether a broker on the port answers the AMQP 0-9-1 protocol header (section 4.2.2 of the specification) with a
    /// method frame; it does so only once it is booted.
    static func answersAMQP(_ port: UInt16) async throws -> Bool {
        guard let socket = connection(to: port) else { return false }
        defer { close(socket) }
        guard try await isReady(socket, for: POLLOUT, within: .seconds(1)), pendingError(of: socket) == 0 else {
            return false
        }
        let header: [UInt8] = Array("AMQP".utf8) + [0, 0, 9, 1]
        guard unsafe send(socket, header, header.count, sendFlags) == header.count,
            try await isReady(socket, for: POLLIN, within: .seconds(2))
        else { return false }
        var first: UInt8 = 0
        let methodFrame: UInt8 = 1
        return unsafe recv(socket, &first, 1, 0) == 1 && first == methodFrame
    }

    // MARK: -

    #if canImport(Darwin)
        private static let streamType = SOCK_STREAM
        private static let sendFlags: Int32 = 0
    #else
        #if canImport(Musl)
            private static let streamType = SOCK_STREAM
        #else
            private static let streamType = Int32(SOCK_STREAM.rawValue)
        #endif
        // A broker that dies just now must not end this process with SIGPIPE.
        private static let sendFlags = Int32(MSG_NOSIGNAL)
    #endif

    /// Whether nobody listens on the port.
    package static func isFree(_ port: UInt16) -> Bool {
        guard let socket = makeSocket() else { return false }
        defer { close(socket) }
        return unsafe withAddress(port) { unsafe bind(socket, $0, $1) } == 0
    }

    /// A connection that is made or under way, to be closed by the caller; nil when it was refused at once.
    private static func connection(to port: UInt16) -> Int32? {
        guard let socket = makeSocket() else { return nil }
        if unsafe withAddress(port, { unsafe connect(socket, $0, $1) }) == 0 || errno == EINPROGRESS { return socket }
        close(socket)
        return nil
    }

    private static func makeSocket() -> Int32? {
        let made = socket(AF_INET, streamType, 0)
        guard made >= 0 else { return nil }
        _ = fcntl(made, F_SETFD, FD_CLOEXEC)
        _ = fcntl(made, F_SETFL, O_NONBLOCK)
        #if canImport(Darwin)
            var yes: Int32 = 1
            unsafe setsockopt(made, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout<Int32>.size))
        #endif
        return made
    }

    private static func withAddress(_ port: UInt16, _ use: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe use($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Asks without blocking, so that no thread of the cooperative pool is held.
    private static func isReady(_ socket: Int32, for event: Int32, within limit: Duration) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while true {
            var asked = pollfd(fd: socket, events: Int16(event), revents: 0)
            if unsafe poll(&asked, 1, 0) > 0 { return true }
            if ContinuousClock.now >= deadline { return false }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func pendingError(of socket: Int32) -> Int32 {
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 else { return errno }
        return error
    }
}
