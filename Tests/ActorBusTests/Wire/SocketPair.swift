import Glibc

@testable import ActorBus

/// A ``Socket`` of the library and, at its other end, a plain descriptor that the test reads and writes, over loopback.
final class SocketPair {
    let socket: Socket
    private let peer: CInt

    init() throws {
        let listener = try LoopbackSocket.listen()
        defer { close(listener.descriptor) }
        let address = try ResolvedAddress.resolve(.init(host: "127.0.0.1", port: listener.port))[0]
        socket = try Socket.connecting(to: address, Liveness(ConnectionConfiguration()))
        peer = accept(listener.descriptor, nil, nil)
    }

    deinit { close(peer) }

    /// What `buffer` holds, after its way through the socket.
    func sent(by buffer: SendBuffer) throws -> [UInt8] {
        var all: [UInt8] = []
        let total = buffer.count
        while all.count < total {
            try buffer.write(to: socket)
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = unsafe recv(peer, &chunk, chunk.count, 0)
            guard count > 0 else { break }
            all += chunk[..<count]
        }
        return all
    }

    func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe send(peer, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func closePeer() { shutdown(peer, CInt(SHUT_RDWR)) }
}

/// Listening sockets on the loopback interface, on ports that the kernel chooses.
enum LoopbackSocket {
    struct Listener {
        var descriptor: CInt
        var port: UInt16
    }

    struct Failure: Error {
        var action: String
        var number: CInt
    }

    static func listen() throws -> Listener {
        let listener = try bound()
        guard Glibc.listen(listener.descriptor, 256) == 0 else {
            let number = errno
            close(listener.descriptor)
            throw Failure(action: "listen", number: number)
        }
        return listener
    }

    /// A port of this process's own on which nothing listens, so that connecting to it is refused.
    static let deadPort = Result { try bound().port }

    private static func bound() throws -> Listener {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(action: "socket", number: errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe bind(descriptor, address, length) == 0 else {
                    return -1 as CInt
                }
                return unsafe getsockname(descriptor, address, &length)
            }
        }
        guard status == 0 else {
            let number = errno
            close(descriptor)
            throw Failure(action: "bind", number: number)
        }
        return Listener(descriptor: descriptor, port: UInt16(bigEndian: address.sin_port))
    }
}
