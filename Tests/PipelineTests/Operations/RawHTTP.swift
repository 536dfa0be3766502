import Foundation
import Glibc

/// A client that sends exactly the bytes it is told to, over loopback.
///
/// Everything blocks on threads of its own: the server under test answers on Swift's cooperative threads.
enum RawHTTP {
    struct Failure: Error { let what: String; let code: Int32 }

    struct Response {
        let status: Int
        let headers: [String: String]
        let body: String
    }

    /// Connects; reads and writes end after thirty seconds.
    static func connect(_ port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(what: "socket", code: errno) }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            let code = errno
            close(descriptor)
            throw Failure(what: "connect", code: code)
        }
        return descriptor
    }

    /// Sends all; false when the other side has closed.
    static func send(_ bytes: [UInt8], on descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Reads to the end; a reset counts as the end, thirty silent seconds as a failure.
    static func readToEnd(_ descriptor: Int32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 || errno == ECONNRESET {
                return bytes
            } else {
                throw Failure(what: "the connection stayed open", code: errno)
            }
        }
    }

    /// Runs blocking work off the cooperative threads.
    static func blocking<Result: Sendable>(
        _ work: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try work() }) }
        }
    }

    /// One request as raw text, and everything that comes back until the server closes.
    static func exchange(_ port: UInt16, _ request: String) async throws -> Response {
        try parse(await exchange(port, bytes: Array(request.utf8)))
    }

    static func exchange(_ port: UInt16, bytes: [UInt8]) async throws -> [UInt8] {
        try await blocking {
            let descriptor = try connect(port)
            defer { close(descriptor) }
            _ = send(bytes, on: descriptor)
            return try readToEnd(descriptor)
        }
    }

    static func get(_ port: UInt16, _ path: String, method: String = "GET") async throws -> Response {
        try await exchange(port, "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    }

    static func parse(_ bytes: [UInt8]) throws -> Response {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { throw Failure(what: "no response: \(text)", code: 0) }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw Failure(what: "no status: \(lines[0])", code: 0)
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw Failure(what: "no header: \(line)", code: 0) }
            headers[line[..<colon].lowercased()] =
                line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return Response(status: status, headers: headers, body: String(text[end.upperBound...]))
    }
}
