import Logging
import Pipeline
import Testing

@Suite("Asking an admin server", .timeLimit(.minutes(1)))
struct HTTPGetTests {
    @Test(
        "URLs",
        arguments: [
            ("http://host", "host", 80, "/metrics"), ("http://host:8001/x?y", "host", 8001, "/x?y"),
            ("HTTP://[::1]:9/", "::1", 9, "/"), ("http://[fe80::1]", "fe80::1", 80, "/metrics"),
        ])
    func urls(text: String, host: String, port: UInt16, path: String) throws {
        let get = try HTTPGet(url: text)
        #expect(get.host == host && get.port == port && get.path == path)
    }

    @Test(
        "What is none",
        arguments: [
            "", "host:80", "https://host/", "http://", "http://:80/", "http://host:0/", "http://host:x/",
            "http://user@host/",
        ])
    func noURLs(text: String) {
        #expect(throws: HTTPGet.Failure.self) { try HTTPGet(url: text) }
    }

    @Test("An answer, whatever its status")
    func answers() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = try AdminServer(
            address: "127.0.0.1", port: 0, registry: PrometheusRegistry(),
            readiness: { .notReady("no broker") },
            logger: logger)
        let serving = Task { try await server.run() }
        func ask(_ path: String) async throws -> HTTPGet.Response {
            try await HTTPGet(host: "127.0.0.1", port: server.port, path: path).response(
                within: .seconds(30))
        }
        let alive = try await ask("/livez")
        #expect(alive.status == 200 && alive.text == "ok\n")
        let ready = try await ask("/readyz")
        #expect(ready.status == 503 && ready.text == "no broker\n")
        serving.cancel()
        try await serving.value
        await #expect(throws: HTTPGet.Failure.self) { try await ask("/livez") }
    }

    @Test("Somebody who listens and says nothing is not waited for")
    func silence() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        // Bound and never served.
        let server = try AdminServer(
            address: "127.0.0.1", port: 0, registry: PrometheusRegistry(), readiness: { .ready },
            logger: logger)
        let get = HTTPGet(host: "127.0.0.1", port: server.port, path: "/livez")
        let failure = await #expect(throws: HTTPGet.Failure.self) {
            try await get.response(within: .milliseconds(200))
        }
        #expect(failure?.description.contains("did not answer") == true)
        #expect(throws: HTTPServerError.self) {
            try AdminServer.checkFree(address: "127.0.0.1", port: server.port)
        }
    }
}
