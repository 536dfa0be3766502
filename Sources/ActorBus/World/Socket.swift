internal import Glibc

/// A non-blocking TCP socket, closed when it is let go.
final class Socket: Transport {
    let descriptor: CInt
    private(set) var wantsWrite = true
    private var isOpen = true

    private init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(descriptor)
    }

    /// Begins to connect; the socket is writable when the outcome is known, and ``finishConnecting()`` then tells it.
    static func connecting(to address: ResolvedAddress, _ liveness: Liveness) throws(AMQPError) -> Socket {
        let descriptor = socket(address.family, CInt(SOCK_STREAM.rawValue) | flags, CInt(IPPROTO_TCP))
        guard descriptor >= 0 else { throw failure("open a socket", errno) }
        let socket = Socket(descriptor: descriptor)
        var one: CInt = 1
        // Small frames must not wait for the answer to earlier ones.
        _ = unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        // What the kernel has taken counts as written. Without a limit that is up to 4 MB (`tcp_wmem`), which a slow link
        // carries for longer than a publisher's time-out.
        var unsent: CInt = 256 << 10
        _ = unsafe setsockopt(
            descriptor, CInt(IPPROTO_TCP), TCP_NOTSENT_LOWAT, &unsent, socklen_t(MemoryLayout<CInt>.size))
        liveness.apply(to: descriptor)
        let status = unsafe address.bytes.withUnsafeBytes {
            unsafe connect(
                descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard status == 0 || errno == EINPROGRESS else { throw failure("connect", errno) }
        return socket
    }

    func finishConnecting() throws(AMQPError) -> Bool {
        var error: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        let status = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
        guard status == 0, error == 0 else {
            throw AMQPError(.connectionLost, Self.text(status == 0 ? error : errno))
        }
        wantsWrite = false
        return true
    }

    func read(into target: UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int {
        while true {
            let count = unsafe recv(descriptor, target.baseAddress, target.count, 0)
            if count > 0 { return count }
            if count == 0 { throw AMQPError(.connectionLost, "the broker closed the connection without a word") }
            if errno == EINTR { continue }
            if errno == EAGAIN || errno == EWOULDBLOCK { return 0 }
            throw Self.failure("read from the broker", errno)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        while true {
            let count = unsafe send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
            if count >= 0 { return count }
            if errno == EINTR { continue }
            if errno == EAGAIN || errno == EWOULDBLOCK { return 0 }
            throw Self.failure("write to the broker", errno)
        }
    }

    private static var flags: CInt { CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue) }

    private static func failure(_ action: String, _ error: CInt) -> AMQPError {
        AMQPError(.connectionLost, "cannot \(action): \(text(error))")
    }

    static func text(_ error: CInt) -> String {
        unsafe String(cString: strerror(error))
    }
}

/// One address of a host name.
package struct ResolvedAddress: Sendable {
    package var family: CInt
    /// The `sockaddr` of that family.
    package var bytes: [UInt8]

    package init(family: CInt, bytes: [UInt8]) {
        self.family = family
        self.bytes = bytes
    }

    /// All addresses of an endpoint. Blocks while the system's resolver does (``NameResolver``).
    static func resolve(_ endpoint: ConnectionConfiguration.Endpoint) throws(AMQPError) -> [ResolvedAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        var status = unsafe getaddrinfo(endpoint.host, String(endpoint.port), &hints, &list)
        if status != 0 {
            // On a machine with nothing but loopback, AI_ADDRCONFIG hides what there is.
            unsafe hints.ai_flags = AI_NUMERICSERV
            status = unsafe getaddrinfo(endpoint.host, String(endpoint.port), &hints, &list)
        }
        guard status == 0 else {
            throw AMQPError(
                .brokerUnreachable,
                "the host name '\(endpoint.host)' does not resolve: \(unsafe String(cString: gai_strerror(status)))")
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [ResolvedAddress] = []
        var next = unsafe list
        while let info = unsafe next {
            if let address = unsafe info.pointee.ai_addr {
                let bytes = unsafe UnsafeRawBufferPointer(start: address, count: Int(info.pointee.ai_addrlen))
                unsafe addresses.append(ResolvedAddress(family: info.pointee.ai_family, bytes: Array(bytes)))
            }
            unsafe next = info.pointee.ai_next
        }
        return addresses
    }

    /// The address in numbers, without the port.
    var text: String {
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = unsafe bytes.withUnsafeBytes { bytes in
            unsafe getnameinfo(
                bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count), &name,
                socklen_t(name.count), nil, 0, NI_NUMERICHOST)
        }
        let end = name.firstIndex(of: 0) ?? name.endIndex
        return status == 0
            ? String(decoding: name[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            : "an address of family \(family)"
    }
}
