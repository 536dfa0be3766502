import Glibc
import ActorBus
import Logging
import Metrics
@testable import Pipeline
import Testing

@Suite("The admin server", .timeLimit(.minutes(1)))
struct AdminServerTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `body` against a server on a free port, then stops it.
    private func withServer<Result: Sendable>(
        registry: PrometheusRegistry = PrometheusRegistry(),
        readiness: @escaping @Sendable () -> Readiness = { .ready },
        answerTime: Duration? = nil,
        _ body: (AdminServer) async throws -> Result
    ) async throws -> Result {
        let server = try AdminServer(
            address: "127.0.0.1", port: 0, registry: registry, readiness: readiness, logger: Self.logger,
            answerTime: answerTime)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            let result = try await body(server)
            group.cancelAll()
            try await group.waitForAll()
            return result
        }
    }

    @Test("Metrics come as Prometheus wants them")
    func metrics() async throws {
        let registry = PrometheusRegistry()
        Counter(label: "orders_generated_total", factory: registry).increment(by: 7)
        try await withServer(registry: registry) { server in
            let response = try await RawHTTP.get(server.port, "/metrics")
            #expect(response.status == 200)
            #expect(response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(response.headers["content-length"] == String(response.body.utf8.count))
            #expect(try Exposition(response.body)["orders_generated_total"] == "7")
            let withQuery = try await RawHTTP.get(server.port, "/metrics?name=x")
            #expect(withQuery.body == response.body)
        }
    }

    @Test("Liveness is always well; readiness says why it is not")
    func health() async throws {
        let readiness = Lock(Readiness.notReady("payment_processor_queue: no consumer yet\n\u{1b}[2J"))
        try await withServer(readiness: { readiness.withLock { $0 } }) { server in
            let early = try await RawHTTP.get(server.port, "/readyz")
            #expect(early.status == 503)
            #expect(early.body == "payment_processor_queue: no consumer yet\\u{a}\\u{1b}[2J\n")
            let alive = try await RawHTTP.get(server.port, "/livez")
            #expect(alive.status == 200)
            #expect(alive.body == "ok\n")

            readiness.withLock { $0 = .ready }
            let ready = try await RawHTTP.get(server.port, "/readyz")
            #expect(ready.status == 200)
            #expect(ready.body == "ok\n")

            readiness.withLock { $0 = .draining }
            let draining = try await RawHTTP.get(server.port, "/readyz")
            #expect(draining.status == 503)
            #expect(draining.body == "draining\n")
            #expect(try await RawHTTP.get(server.port, "/livez").status == 200)
        }
    }

    @Test("HEAD has the headers of GET and no body", arguments: ["/metrics", "/livez", "/readyz", "/nowhere"])
    func head(path: String) async throws {
        let registry = PrometheusRegistry()
        _ = NotificationMetrics(factory: registry)
        try await withServer(registry: registry) { server in
            let get = try await RawHTTP.get(server.port, path)
            let head = try await RawHTTP.get(server.port, path, method: "HEAD")
            #expect(head.status == get.status)
            #expect(head.body.isEmpty)
            #expect(head.headers["content-length"] == String(get.body.utf8.count))
            #expect(head.headers["content-type"] == get.headers["content-type"])
        }
    }

    @Test("Other paths are 404 and say what there is", arguments: ["/", "/metric", "/metrics/", "/../metrics", "*"])
    func unknownPath(path: String) async throws {
        try await withServer { server in
            let response = try await RawHTTP.get(server.port, path, method: path == "*" ? "OPTIONS" : "GET")
            #expect(response.status == 404)
            #expect(response.body == "nothing here: try /metrics, /livez or /readyz\n")
        }
    }

    @Test("Other methods are 405, with a body sent or not", arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    func otherMethod(method: String) async throws {
        try await withServer { server in
            let bare = try await RawHTTP.get(server.port, "/metrics", method: method)
            #expect(bare.status == 405)
            #expect(bare.headers["allow"] == "GET, HEAD")
            let body = String(repeating: "b", count: 20_000)
            let full = try await RawHTTP.exchange(
                server.port,
                "\(method) /livez HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            #expect(full.status == 405)
        }
    }

    @Test("HTTP/1.0, a half-closed client and pipelined requests get one answer")
    func oddClients() async throws {
        try await withServer { server in
            let old = try await RawHTTP.exchange(server.port, "GET /livez HTTP/1.0\r\n\r\n")
            #expect(old.status == 200)
            let port = server.port
            let half = try await RawHTTP.blocking {
                let descriptor = try RawHTTP.connect(port)
                defer { close(descriptor) }
                _ = RawHTTP.send(Array("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".utf8), on: descriptor)
                shutdown(descriptor, Int32(SHUT_WR))
                return try RawHTTP.readToEnd(descriptor)
            }
            #expect(try RawHTTP.parse(half).body == "ok\n")
            let request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
            let pipelined = try await RawHTTP.exchange(port, String(repeating: request, count: 20))
            #expect(pipelined.headers["connection"] == "close")
            #expect(pipelined.body == "ok\n")
        }
    }

    @Test(
        "What is no HTTP is refused, and the server lives on",
        arguments: [
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n", "GET\r\n\r\n", "GET /livez HTTP/1.1\r\nbad header\r\n\r\n",
            "AMQP\u{0}\u{0}\u{9}\u{1}\r\n\r\n",
        ])
    func garbage(request: String) async throws {
        try await withServer { server in
            let answer = try await RawHTTP.exchange(server.port, bytes: Array(request.utf8))
            if !answer.isEmpty { #expect(try RawHTTP.parse(answer).status == 400) }
            #expect(try await RawHTTP.get(server.port, "/livez").status == 200)
        }
    }

    @Test("A request without end is cut off", arguments: ["GET /", "GET / HTTP/1.1\r\nX: "])
    func endless(start: String) async throws {
        try await withServer { server in
            let port = server.port
            let sentAll = try await RawHTTP.blocking {
                let descriptor = try RawHTTP.connect(port)
                defer { close(descriptor) }
                _ = RawHTTP.send(Array(start.utf8), on: descriptor)
                let filling = [UInt8](repeating: UInt8(ascii: "x"), count: 65_536)
                // 64 MB: far more than the buffers of a loopback connection take in.
                return (0..<1000).allSatisfy { _ in RawHTTP.send(filling, on: descriptor) }
            }
            #expect(!sentAll)
            #expect(try await RawHTTP.get(server.port, "/livez").status == 200)
        }
    }

    @Test(
        "A client that dawdles is cut off",
        arguments: ["", "GET /livez HTT", "POST /livez HTTP/1.1\r\nContent-Length: 9\r\n\r\nb"])
    func slow(start: String) async throws {
        try await withServer { server in
            let port = server.port
            // Ends only when the server closes, else fails after thirty seconds.
            _ = try await RawHTTP.blocking {
                let descriptor = try RawHTTP.connect(port)
                defer { close(descriptor) }
                _ = RawHTTP.send(Array(start.utf8), on: descriptor)
                return try RawHTTP.readToEnd(descriptor)
            }
        }
    }

    @Test("Clients that send nothing, or half a request, do not hold up the probes")
    func idleClients() async throws {
        try await withServer { server in
            let port = server.port
            let (status, waited, endOfOldest) = try await RawHTTP.blocking {
                let idle = try (0..<400).map { number in
                    let descriptor = try RawHTTP.connect(port)
                    if number.isMultiple(of: 2) { _ = RawHTTP.send(Array("GET /livez HT".utf8), on: descriptor) }
                    return descriptor
                }
                defer { for descriptor in idle { close(descriptor) } }
                let clock = ContinuousClock()
                let began = clock.now
                let descriptor = try RawHTTP.connect(port)
                defer { close(descriptor) }
                _ = RawHTTP.send(Array("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".utf8), on: descriptor)
                let answer = try RawHTTP.readToEnd(descriptor)
                let waited = clock.now - began
                return (try RawHTTP.parse(answer).status, waited, try RawHTTP.readToEnd(idle[0]))
            }
            #expect(status == 200)
            #expect(waited < .seconds(10), "six times 64 idle ones, each of which may stay for 2 s, would take 12")
            #expect(endOfOldest.isEmpty, "it made room")
        }
    }

    @Test("Fifty scrapes at a time are all answered")
    func concurrentScrapes() async throws {
        let registry = PrometheusRegistry()
        _ = PaymentMetrics(factory: registry)
        let expected = String(decoding: registry.exposition(), as: UTF8.self)
        try await withServer(registry: registry) { server in
            let port = server.port
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<50 { group.addTask { try await RawHTTP.get(port, "/metrics").body } }
                var answers = 0
                for try await body in group {
                    #expect(body == expected)
                    answers += 1
                }
                #expect(answers == 50)
            }
        }
    }

    @Test("Servers of one process show their own service only")
    func ownMetricsOnly() async throws {
        let payment = PrometheusRegistry()
        _ = PaymentMetrics(factory: payment)
        let notification = PrometheusRegistry()
        _ = NotificationMetrics(factory: notification)
        try await withServer(registry: payment) { first in
            try await withServer(registry: notification) { second in
                #expect(first.port != second.port)
                let one = try await RawHTTP.get(first.port, "/metrics").body
                let other = try await RawHTTP.get(second.port, "/metrics").body
                #expect(one.contains("payments_processed_total") && !one.contains("notifications_sent_total"))
                #expect(other.contains("notifications_sent_total") && !other.contains("payments_processed_total"))
            }
        }
    }

    @Test("Once stopped, the port is free and refuses connections, whatever clients hang on it")
    func stops() async throws {
        let clock = ContinuousClock()
        let (port, idle, began) = try await withServer(answerTime: .seconds(60)) { server in
            #expect(try await RawHTTP.get(server.port, "/livez").status == 200)
            let port = server.port
            let idle = try await RawHTTP.blocking { try RawHTTP.connect(port) }
            // The answer to a later connection shows that the idle one was accepted.
            #expect(try await RawHTTP.get(server.port, "/livez").status == 200)
            return (port, idle, clock.now)
        }
        defer { close(idle) }
        #expect(clock.now - began < .seconds(5))
        await #expect(throws: RawHTTP.Failure.self) { try await RawHTTP.get(port, "/livez") }
        let again = try AdminServer(
            address: "127.0.0.1", port: port, registry: PrometheusRegistry(), readiness: { .ready },
            logger: Self.logger)
        #expect(again.port == port)
    }

    /// A connection that was accepted and not yet handed out when the server was cancelled used to end the process.
    @Test("Stopped while clients come, it ends in good order", .serialized, arguments: 0..<15)
    func stopsUnderLoad(_ round: Int) async throws {
        let server = try AdminServer(
            address: "127.0.0.1", port: 0, registry: PrometheusRegistry(), readiness: { .ready }, logger: Self.logger)
        let port = server.port
        let task = Task { try await server.run() }
        let clients = try await RawHTTP.blocking { try (0..<40).map { _ in try RawHTTP.connect(port) } }
        defer { for client in clients { close(client) } }
        task.cancel()
        try await task.value
        await #expect(throws: RawHTTP.Failure.self) { try await RawHTTP.get(port, "/livez") }
    }

    @Test("Cancelled before it serves, it returns and frees the port")
    func cancelledEarly() async throws {
        let server = try AdminServer(
            address: "127.0.0.1", port: 0, registry: PrometheusRegistry(), readiness: { .ready }, logger: Self.logger)
        let port = server.port
        let task = Task { try await server.run() }
        task.cancel()
        try await task.value
        _ = try AdminServer(
            address: "127.0.0.1", port: port, registry: PrometheusRegistry(), readiness: { .ready },
            logger: Self.logger)
    }

    @Test("A port in use is refused before any work begins, with what to do")
    func portInUse() async throws {
        try await withServer { server in
            let error = #expect(throws: HTTPServerError.self) {
                _ = try AdminServer(
                    address: "127.0.0.1", port: server.port, registry: PrometheusRegistry(), readiness: { .ready },
                    logger: Self.logger)
            }
            #expect(error?.code == .portInUse)
            #expect(
                error?.description
                    == "cannot serve metrics and health on 127.0.0.1:\(server.port): the port is in use by another "
                    + "process; stop that process (`ss -ltnp 'sport = :\(server.port)'` shows it) or choose another port"
            )
        }
    }

    @Test("An address that is not this machine's is refused", arguments: ["192.0.2.1", ""])
    func badAddress(address: String) {
        let error = #expect(throws: HTTPServerError.self) {
            _ = try AdminServer(
                address: address, port: 0, registry: PrometheusRegistry(), readiness: { .ready }, logger: Self.logger)
        }
        #expect(error?.code == .badAddress)
        #expect(error?.description.contains("127.0.0.1") == true)
    }

    @Test("A server that was bound and never run frees its port")
    func neverRun() throws {
        func bind(_ port: UInt16) throws -> UInt16 {
            try AdminServer(
                address: "127.0.0.1", port: port, registry: PrometheusRegistry(), readiness: { .ready },
                logger: Self.logger
            ).port
        }
        let port = try bind(0)
        #expect(try bind(port) == port)
    }

    @Test("IPv6, with and without brackets", arguments: ["::1", "[::1]"])
    func ipv6(address: String) throws {
        let server = try AdminServer(
            address: address, port: 0, registry: PrometheusRegistry(), readiness: { .ready }, logger: Self.logger)
        #expect(server.port != 0)
        #expect(server.endpoint == "[::1]:\(server.port)")
    }

    /// This machine has IPv6 on its loopback; where a machine has none, the other family alone is listened on.
    @Test(
        "Both families are listened on", .timeLimit(.minutes(1)),
        arguments: [("*", "[::]"), ("::", "[::]"), ("localhost", "localhost")])
    func bothFamilies(address: String, shown: String) async throws {
        let server = try AdminServer(
            address: address, port: 0, registry: PrometheusRegistry(), readiness: { .ready }, logger: Self.logger)
        #expect(server.endpoint == "\(shown):\(server.port)")
        let serving = Task { try await server.run() }
        for host in ["127.0.0.1", "::1"] {
            let get = HTTPGet(host: host, port: server.port, path: "/livez")
            #expect(try await get.response(within: .seconds(30)).status == 200)
        }
        serving.cancel()
        try await serving.value
        try AdminServer.checkFree(address: address, port: server.port)
    }

    @Test("One family alone is asked for by its address", .timeLimit(.minutes(1)))
    func oneFamily() async throws {
        let server = try AdminServer(
            address: "127.0.0.1", port: 0, registry: PrometheusRegistry(), readiness: { .ready }, logger: Self.logger)
        let serving = Task { try await server.run() }
        await #expect(throws: HTTPGet.Failure.self) {
            try await HTTPGet(host: "::1", port: server.port, path: "/livez").response(within: .seconds(30))
        }
        // Whoever knows of both reaches it all the same.
        let get = HTTPGet(host: "::1", otherHost: "127.0.0.1", port: server.port, path: "/livez")
        #expect(try await get.response(within: .seconds(30)).status == 200)
        // A port that one family holds is not free for both.
        for address in ["*", "localhost"] {
            #expect(throws: HTTPServerError.self) {
                try AdminServer.checkFree(address: address, port: server.port)
            }
        }
        serving.cancel()
        try await serving.value
    }
}
