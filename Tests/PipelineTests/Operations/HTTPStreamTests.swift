import ActorBus
import Glibc
import Logging
@testable import Pipeline
import Testing

@Suite("Answers that are streams", .timeLimit(.minutes(1)))
struct HTTPStreamTests {
    /// A server that answers everything with a stream, and what became of the streams.
    private final class Streams: Sendable {
        let all = Lock<[PartStream]>([])
        let ended = Lock(0)

        var count: Int { all.withLock { $0.count } }
        var endedCount: Int { ended.withLock { $0 } }

        func open() -> PartStream {
            let stream = PartStream { [self] in ended.withLock { $0 += 1 } }
            all.withLock { $0.append(stream) }
            return stream
        }

        func send(_ text: String) { for stream in all.withLock({ $0 }) { stream.send(Array(text.utf8)) } }
        func end() { for stream in all.withLock({ $0 }) { stream.end() } }
    }

    private func withServer(
        answerTime: Duration? = nil, _ body: (UInt16, Streams) async throws -> Void
    ) async throws {
        let streams = Streams()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = try HTTPServer("streams", address: "127.0.0.1", port: 0, logger: logger, answerTime: answerTime) {
            _ in HTTPAnswer(type: "text/event-stream", stream: streams.open())
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await body(server.port, streams)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func request(_ port: UInt16, _ method: String = "GET") throws -> Int32 {
        let descriptor = try RawHTTP.connect(port)
        _ = RawHTTP.send(Array("\(method) / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), on: descriptor)
        return descriptor
    }

    private func eventually(_ what: String, _ isSo: () -> Bool) async throws {
        for _ in 0..<1000 where !isSo() { try await Task.sleep(for: .milliseconds(10)) }
        try #require(isSo(), "\(what)")
    }

    @Test("Parts come as they are sent, and the end after them")
    func parts() async throws {
        try await withServer(answerTime: .seconds(2)) { port, streams in
            let reading = Task { try await RawHTTP.get(port, "/") }
            try await eventually("a stream") { streams.count == 1 }
            streams.send("one")
            // Longer than an answer may take: only what is not read counts.
            try await Task.sleep(for: .milliseconds(2500))
            streams.send("two")
            try await Task.sleep(for: .milliseconds(100))
            streams.end()
            let response = try await reading.value
            #expect(response.status == 200 && response.headers["content-type"] == "text/event-stream")
            #expect(response.headers["transfer-encoding"] == "chunked")
            #expect(response.body == "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
            #expect(streams.endedCount == 1)
        }
    }

    @Test("HEAD gets the head, and no stream stays open")
    func head() async throws {
        try await withServer { port, streams in
            let response = try await RawHTTP.get(port, "/", method: "HEAD")
            #expect(response.status == 200 && response.body.isEmpty)
            try await eventually("the end of the stream") { streams.endedCount == 1 }
        }
    }

    @Test("A reader that leaves ends its stream, though nothing is sent", arguments: [true, false])
    func leaves(closesWhole: Bool) async throws {
        try await withServer { port, streams in
            let descriptor = try await RawHTTP.blocking { try request(port) }
            try await eventually("a stream") { streams.count == 1 }
            if closesWhole { close(descriptor) } else { shutdown(descriptor, Int32(SHUT_WR)) }
            try await eventually("the end of the stream") { streams.endedCount == 1 }
            if !closesWhole { close(descriptor) }
        }
    }

    @Test("A slow reader finds the newest part, and those between are kept nowhere")
    func newest() async {
        let stream = PartStream {}
        for number in 0...100 as ClosedRange<UInt8> { stream.send([number]) }
        stream.end()
        stream.send([255])
        var parts: [[UInt8]] = []
        for await part in stream.all { parts.append(part) }
        #expect(parts == [[100]])
    }

    @Test("A reader that does not read is let go, and holds up nobody")
    func slow() async throws {
        try await withServer(answerTime: .seconds(3)) { port, streams in
            let descriptor = try await RawHTTP.blocking { try request(port) }
            defer { close(descriptor) }
            try await eventually("a stream") { streams.count == 1 }
            // More than the buffers of a loopback connection take in.
            let large = String(repeating: "x", count: 16 << 20)
            let began = ContinuousClock.now
            // To send waits for nobody.
            for _ in 0..<20 { streams.send(large) }
            #expect(ContinuousClock.now - began < .seconds(3), "as if it waited for the reader")
            try await eventually("the end of the stream") { streams.endedCount == 1 }
        }
    }

    @Test("Streams end with the server, at once")
    func stops() async throws {
        let clock = ContinuousClock()
        let began = Lock(clock.now)
        let streams = Lock<Streams?>(nil)
        try await withServer { port, opened in
            streams.withLock { $0 = opened }
            let descriptors = try await RawHTTP.blocking { try (0..<5).map { _ in try request(port) } }
            defer { for descriptor in descriptors { close(descriptor) } }
            try await eventually("five streams") { opened.count == 5 }
            began.withLock { $0 = clock.now }
        }
        #expect(clock.now - began.withLock { $0 } < .seconds(5))
        #expect(streams.withLock { $0?.endedCount } == 5)
    }
}
