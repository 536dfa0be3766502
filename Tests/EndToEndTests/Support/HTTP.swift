import Foundation
import Glibc

/// The little of HTTP that a Prometheus server and a kubelet use, over loopback.
enum HTTP {
    struct Response: Sendable {
        let status: Int
        let body: String
    }

    /// Gets a path; an answer takes ten seconds at most. Throws when nobody answers.
    static func get(_ port: UInt16, _ path: String) async throws -> Response {
        // Blocking calls belong on a thread of their own, not on Swift's.
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try blockingGet(port, path) }) }
        }
    }

    private static func blockingGet(_ port: UInt16, _ path: String) throws -> Response {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Overdue("no socket: errno \(errno)") }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Overdue("nobody answers on port \(port): errno \(errno)") }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        let sent = unsafe request.withUnsafeBytes {
            unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == request.count else { throw Overdue("port \(port) takes no request: errno \(errno)") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count == 0 { break }
            guard count > 0 else { throw Overdue("port \(port) does not answer \(path): errno \(errno)") }
            bytes += chunk[..<count]
        }
        return try parse(String(decoding: bytes, as: UTF8.self))
    }

    private static func parse(_ text: String) throws -> Response {
        let words = text.prefix { $0 != "\r\n" }.split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]), let end = text.range(of: "\r\n\r\n") else {
            throw Overdue("no HTTP: \(text.prefix(200))")
        }
        return Response(status: status, body: String(text[end.upperBound...]))
    }
}
