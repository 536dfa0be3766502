import ActorBus
import Foundation
import Glibc
import Logging
import Testing

@testable import Pipeline

/// The dashboard as its clients see it, without a broker.
@Suite(.timeLimit(.minutes(1))) struct DashboardTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func withDashboard(_ body: (Dashboard, RecentOrders) async throws -> Void) async throws {
        let orders = RecentOrders()
        let dashboard = try Dashboard(port: 0, services: [], orders: orders, logger: Self.logger) { OrderTotals() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await dashboard.run() }
            try await body(dashboard, orders)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func get(
        _ port: UInt16, _ path: String, host: String = "localhost", method: String = "GET", fields: [String] = []
    ) async throws -> RawHTTP.Response {
        let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)"] + fields + ["", ""]
        return try await RawHTTP.exchange(port, lines.joined(separator: "\r\n"))
    }

    /// Connects to the stream; to be closed by the caller.
    private func watch(_ port: UInt16) async throws -> Int32 {
        try await RawHTTP.blocking {
            let descriptor = try RawHTTP.connect(port)
            _ = RawHTTP.send(Array("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), on: descriptor)
            return descriptor
        }
    }

    /// Reads until the text has come, and returns all.
    private func read(_ descriptor: Int32, until text: String) async throws -> String {
        try await RawHTTP.blocking {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let seen = String(decoding: bytes, as: UTF8.self)
                if seen.contains(text) { return seen }
                let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
                guard count > 0 else { throw RawHTTP.Failure(what: "no \(text) in \(seen)", code: errno) }
                bytes += chunk[..<count]
            }
        }
    }

    @Test func `the page is one file that may load nothing else`() async throws {
        try await withDashboard { dashboard, _ in
            let page = try await get(dashboard.port, "/")
            #expect(page.status == 200 && page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(page.headers["x-content-type-options"] == "nosniff")
            #expect(page.headers["cache-control"] == "no-store")
            #expect(page.headers["access-control-allow-origin"] == nil)
            let policy = try #require(page.headers["content-security-policy"])
            let nonce = try #require(policy.firstMatch(of: /script-src 'nonce-([0-9a-f]+)'/)).1
            #expect(policy.hasPrefix("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("unsafe"))
            #expect(page.body.components(separatedBy: "nonce=\"\(nonce)\"").count == 3, "one style, one script")
            #expect(!page.body.contains("NONCE"))
            for word in ["http://", "https://", "//cdn", "@import", "url(", " src=", "innerHTML", "onclick"] {
                let rest = page.body.replacing("http://www.w3.org/2000/svg", with: "")
                #expect(!rest.contains(word), "\(word)")
            }
            let other = try await get(dashboard.port, "/")
            #expect(other.headers["content-security-policy"] != policy, "a nonce is good for one answer")
        }
    }

    @Test func `HEAD has the length of GET`() async throws {
        try await withDashboard { dashboard, _ in
            let page = try await get(dashboard.port, "/")
            let head = try await get(dashboard.port, "/", method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty)
            let lengths = [page, head].map { Int($0.headers["content-length"] ?? "") ?? 0 }
            // Nonces differ by a digit or two.
            #expect(abs(lengths[0] - lengths[1]) < 20 && lengths[0] == page.body.utf8.count)
        }
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"], ["/", "/events"])
    func `only GET and HEAD are possible`(method: String, path: String) async throws {
        try await withDashboard { dashboard, _ in
            let answer = try await get(dashboard.port, path, method: method)
            #expect(answer.status == 405 && answer.headers["allow"] == "GET, HEAD")
            #expect(answer.headers["access-control-allow-origin"] == nil)
        }
    }

    @Test(arguments: ["/metrics", "/index.html", "/events/", "//", "/../events", "/favicon.ico"])
    func `nothing else is there`(path: String) async throws {
        try await withDashboard { dashboard, _ in
            let answer = try await get(dashboard.port, path)
            #expect(answer.status == 404 && answer.body == "nothing here: try /\n")
            #expect(answer.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
        }
    }

    @Test(
        arguments: [
            "attacker.example", "attacker.example:8004", "localhost.attacker.example", "127.0.0.1.attacker.example",
            "127.0.0.1@attacker.example", "localhost:8004@x", "localhost:", "localhost:x", "192.168.0.1:8004",
            "0.0.0.0",
            "[::]", "",
        ], ["/", "/events"])
    func `a name that is not this machine's gets nothing`(host: String, path: String) async throws {
        try await withDashboard { dashboard, orders in
            orders.note(OrderStory(1).ordered)
            let answer = try await get(dashboard.port, path, host: host)
            // What is no host at all is not even HTTP.
            #expect([421, 400].contains(answer.status), "\(answer.status)")
            #expect(!answer.body.contains("alice") && !answer.body.contains("<"))
        }
    }

    @Test(arguments: ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8004", "[::1]:99"])
    func `under the names of loopback it answers, with any port`(host: String) async throws {
        try await withDashboard { dashboard, _ in
            let answer = try await get(dashboard.port, "/", host: host)
            #expect(answer.status == 200)
        }
    }

    @Test func `without a host it answers nothing`() async throws {
        try await withDashboard { dashboard, _ in
            let answer = try await RawHTTP.exchange(dashboard.port, "GET / HTTP/1.0\r\n\r\n")
            #expect(answer.status == 421)
        }
    }

    @Test func `out of a stranger's page nobody takes a place`() async throws {
        try await withDashboard { dashboard, _ in
            for site in ["cross-site", "same-site"] {
                let answer = try await get(dashboard.port, "/events", fields: ["Sec-Fetch-Site: \(site)"])
                #expect(answer.status == 403)
            }
        }
    }

    @Test func `the stream begins with the state and goes on with what changes`() async throws {
        try await withDashboard { dashboard, orders in
            orders.note(OrderStory(41).ordered)
            let descriptor = try await watch(dashboard.port)
            defer { close(descriptor) }
            let first = try await read(descriptor, until: "\n\n")
            #expect(first.contains("HTTP/1.1 200") && first.lowercased().contains("content-type: text/event-stream"))
            #expect(first.contains("data: {\"broker\"") && first.contains("\"number\":41"))
            orders.note(OrderStory(42, customer: "late@example.com").ordered)
            _ = try await read(descriptor, until: "late@example.com")
        }
    }

    @Test func `a silent state is sent again, so that silence means that something is wrong`() async throws {
        try await withDashboard { dashboard, _ in
            let descriptor = try await watch(dashboard.port)
            defer { close(descriptor) }
            let began = ContinuousClock.now
            // The first may bring the second along, never the third.
            _ = try await read(descriptor, until: "data: ")
            _ = try await read(descriptor, until: "data: ")
            #expect(ContinuousClock.now - began < .seconds(10), "the page waits for 12 s")
        }
    }

    @Test func `places are bounded, and free again when a viewer leaves`() async throws {
        try await withDashboard { dashboard, _ in
            var viewers: [Int32] = []
            defer { for viewer in viewers { close(viewer) } }
            for _ in 0..<Dashboard.places {
                viewers.append(try await watch(dashboard.port))
                _ = try await read(viewers[viewers.count - 1], until: "data: ")
            }
            let refused = try await get(dashboard.port, "/events")
            #expect(refused.status == 503 && refused.body == "8 pages watch already: close one of them\n")
            #expect(try await get(dashboard.port, "/").status == 200)
            close(viewers.removeLast())
            for _ in 0..<500 {
                let descriptor = try await watch(dashboard.port)
                let answer = try await read(descriptor, until: "\r\n")
                if answer.contains("200") {
                    viewers.append(descriptor)
                    return
                }
                close(descriptor)
                try await Task.sleep(for: .milliseconds(10))
            }
            Issue.record("no place has become free")
        }
    }

    @Test func `at the end viewers are told, and nobody is let in any more`() async throws {
        try await withDashboard { dashboard, _ in
            let port = dashboard.port
            let viewer = try await watch(port)
            defer { close(viewer) }
            _ = try await read(viewer, until: "data: ")
            let began = ContinuousClock.now
            dashboard.end()
            dashboard.end()
            let rest = try await RawHTTP.blocking { String(decoding: try RawHTTP.readToEnd(viewer), as: UTF8.self) }
            #expect(rest.contains("event: end\ndata:\n\n"))
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(try await get(port, "/events").status == 503)
        }
    }

    @Test func `it stops at once with viewers that read and viewers that do not`() async throws {
        let began = Lock(ContinuousClock.now)
        var viewers: [Int32] = []
        defer { for viewer in viewers { close(viewer) } }
        try await withDashboard { dashboard, _ in
            for _ in 0..<4 { viewers.append(try await watch(dashboard.port)) }
            _ = try await read(viewers[0], until: "data: ")
            began.withLock { $0 = ContinuousClock.now }
        }
        #expect(ContinuousClock.now - began.withLock { $0 } < .seconds(5))
    }

    @Test func `a port in use is an error that says what is to be served`() async throws {
        try await withDashboard { dashboard, orders in
            let error = #expect(throws: HTTPServerError.self) {
                _ = try Dashboard(port: dashboard.port, services: [], orders: orders, logger: Self.logger) {
                    OrderTotals()
                }
            }
            #expect(error?.code == .portInUse)
            #expect(error?.description.hasPrefix("cannot serve the dashboard on 127.0.0.1:") == true)
            #expect(throws: HTTPServerError.self) { try Dashboard.checkFree(port: dashboard.port) }
        }
    }
}
