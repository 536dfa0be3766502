import ActorBus
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A TCP port that is listened on, not yet served: one socket, or one for each address family.
///
/// Binding is apart from serving so that a port that is taken ends a start before any work has begun, and without a
/// thread to take down again. Owns its descriptors until `take()`; closes them if nobody did.
final class ListeningSocket: Sendable {
    /// Every address of this machine, of both families.
    static let everyAddress = "*"
    /// The loopback interface, by both families.
    static let loopback = "localhost"

    /// The port, the one that the system chose where 0 was asked for.
    let port: UInt16
    /// The address as it was asked for, with the port; of every address, as the socket has it.
    let endpoint: String

    private let descriptors: Lock<[Int32]?>

    /// Connections that wait for `accept`. Beyond it the system drops the first packet, and the client tries again only
    /// after a second, which is all that a probe has.
    private static let backlog: Int32 = 1024

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - address: `*`, `localhost`, an IPv4 or IPv6 address (`::` takes IPv4 too), or another name (which is looked up,
    ///     and may block for it).
    ///   - port: 0 for any that is free.
    ///   - subject: what is to be served there, for the error.
    init(address: String, port: UInt16, for subject: String) throws(HTTPServerError) {
        // A URL writes IPv6 in brackets, so people do.
        let bare = address.hasPrefix("[") && address.hasSuffix("]") ? String(address.dropFirst().dropLast()) : address
        let endpoint = Self.endpoint(bare, port)
        let opened: Opened
        do {
            opened = try Self.open(bare, port)
        } catch {
            throw HTTPServerError(
                code: error.code, subject: subject, endpoint: endpoint, found: error.found, remedy: error.remedy)
        }
        descriptors = Lock(opened.descriptors)
        self.port = opened.port
        self.endpoint = Self.endpoint(opened.address, opened.port)
    }

    deinit {
        for descriptor in take() ?? [] { close(descriptor) }
    }

    /// Hands the descriptors over, once; the taker closes them.
    func take() -> [Int32]? {
        descriptors.withLock { descriptors in
            defer { descriptors = nil }
            return descriptors
        }
    }

    private static func endpoint(_ address: String, _ port: UInt16) -> String {
        address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    private struct Opened {
        let address: String
        var descriptors: [Int32]
        let port: UInt16
    }

    private static func open(_ address: String, _ port: UInt16) throws(Refusal) -> Opened {
        switch address {
        case everyAddress:
            // One socket for both families, but where the system has no IPv6.
            do { return try openOne("::", port) } catch  where error.isFamilyMissing {
                return try openOne("0.0.0.0", port)
            }
        case loopback: return try openBothLoopbacks(port)
        default: return try openOne(address, port)
        }
    }

    /// Of both families, or of the one that the system has.
    private static func openBothLoopbacks(_ port: UInt16) throws(Refusal) -> Opened {
        var attempts = 0
        while true {
            let first: Opened
            do { first = try openOne("127.0.0.1", port) } catch  where error.isFamilyMissing {
                return try openOne("::1", port)
            }
            do {
                let second = try openOne("::1", first.port)
                return Opened(
                    address: loopback, descriptors: first.descriptors + second.descriptors, port: first.port)
            } catch  where error.isFamilyMissing {
                return first
            } catch {
                for descriptor in first.descriptors { close(descriptor) }
                // A port of the system's choice may be taken in the other family.
                attempts += 1
                guard port == 0, error.code == .portInUse, attempts < 20 else { throw error }
            }
        }
    }

    /// Why there is no socket.
    private struct Refusal: Error {
        let code: HTTPServerError.Code
        let found: String
        let remedy: String
        /// Whether the system has no address of the family.
        var isFamilyMissing = false
    }

    private static func openOne(_ address: String, _ port: UInt16) throws(Refusal) -> Opened {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        unsafe hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
            unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            unsafe hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(address, String(port), &hints, &list)
        defer { if let list = unsafe list { unsafe freeaddrinfo(list) } }
        guard code == 0, !address.isEmpty else {
            throw Refusal(
                code: .badAddress,
                found: address.isEmpty ? "the address is empty" : unsafe String(cString: gai_strerror(code)),
                remedy: "give an address of this machine, such as 127.0.0.1, or * for all of them")
        }
        // A name may stand for several addresses; the first that can be had is taken.
        var failure: Int32 = EADDRNOTAVAIL
        var next = unsafe list
        while let candidate = unsafe next {
            do throws(SystemFailure) {
                let (descriptor, port) = try unsafe listen(candidate.pointee)
                return Opened(address: address, descriptors: [descriptor], port: port)
            } catch {
                failure = error.code
            }
            unsafe next = candidate.pointee.ai_next
        }
        throw explain(failure, port)
    }

    private struct SystemFailure: Error {
        let code: Int32
    }

    private static func listen(_ candidate: addrinfo) throws(SystemFailure) -> (Int32, UInt16) {
        let descriptor = unsafe socket(candidate.ai_family, candidate.ai_socktype, candidate.ai_protocol)
        guard descriptor >= 0 else { throw SystemFailure(code: errno) }
        // Not for children: a broker started by this process would keep the port.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var on: Int32 = 1
        // A port whose last connections are still in TIME_WAIT is free all the same.
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        if unsafe candidate.ai_family == AF_INET6 {
            // Whatever the system's default (net.ipv6.bindv6only); it only matters to the address of all.
            var off: Int32 = 0
            unsafe setsockopt(
                descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, socklen_t(MemoryLayout<Int32>.size))
        }
        guard unsafe bind(descriptor, candidate.ai_addr, candidate.ai_addrlen) == 0, systemListen(descriptor) == 0
        else {
            let code = errno
            close(descriptor)
            throw SystemFailure(code: code)
        }
        return (descriptor, boundPort(of: descriptor))
    }

    private static func systemListen(_ descriptor: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.listen(descriptor, backlog)
        #elseif canImport(Musl)
            Musl.listen(descriptor, backlog)
        #else
            Darwin.listen(descriptor, backlog)
        #endif
    }

    private static func boundPort(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        // The port stands at the same place for both families.
        return code == 0 ? UInt16(bigEndian: address.sin6_port) : 0
    }

    private static func explain(_ code: Int32, _ port: UInt16) -> Refusal {
        let said = unsafe String(cString: strerror(code))
        switch code {
        case EADDRINUSE:
            return Refusal(
                code: .portInUse, found: "the port is in use by another process",
                remedy: "stop that process (`ss -ltnp 'sport = :\(port)'` shows it) or choose another port")
        case EACCES, EPERM:
            return Refusal(
                code: .notPermitted, found: "this user may not open the port (\(said))",
                remedy: "choose a port above 1023")
        case EADDRNOTAVAIL, EAFNOSUPPORT:
            return Refusal(
                code: .badAddress, found: "no interface of this machine has the address (\(said))",
                remedy: "give an address of this machine, such as 127.0.0.1, or * for all of them",
                isFamilyMissing: true)
        default:
            return Refusal(
                code: .system, found: said, remedy: "see the limits of the process and the system")
        }
    }
}
