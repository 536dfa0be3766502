import Foundation
import Glibc
import Logging
import Testing

@testable import Pipeline

/// What is asked of a port about which something is wrong.
@Suite(.timeLimit(.minutes(1))) struct ProbeTests {
    @Test func aTLSRecordIsTold() {
        #expect(TLSProbe.isTLS([0x15, 3, 3, 0, 2]) && TLSProbe.isTLS([0x16, 3, 1]))
        for bytes in [[], [0x15], [0x15, 2], [0x14, 3], Array("AMQP".utf8), Array("HTTP/1.1".utf8)] as [[UInt8]] {
            #expect(!TLSProbe.isTLS(bytes))
        }
        let hello = TLSProbe.clientHello
        #expect(hello.count == 5 + Int(hello[4]) && hello[8] == hello[4] - 4)
    }

    /// A server that answers every connection with these bytes, or is silent.
    private func withServer(
        answering answer: [UInt8], _ body: (UInt16) async throws -> Void
    ) async throws {
        let listening = try ListeningSocket(address: "127.0.0.1", port: 0, for: "a test")
        let descriptor = try #require(listening.take()?.first)
        let server = Task {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    let client = accept(descriptor, nil, nil)
                    if client >= 0 {
                        _ = RawHTTP.send(answer, on: client)
                        _ = try? RawHTTP.readToEnd(client)
                        close(client)
                    }
                    continuation.resume()
                }
            }
        }
        try await body(listening.port)
        await server.value
        close(descriptor)
    }

    @Test(
        arguments: [
            ([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46], true), (Array("AMQP\u{0}\u{0}\u{9}\u{1}".utf8), false),
            ([], false),
        ] as [([UInt8], Bool)])
    func aPortIsAsked(answer: [UInt8], isTLS: Bool) async throws {
        try await withServer(answering: answer) { port in
            let patience = Duration.milliseconds(answer.isEmpty ? 100 : 30_000)
            #expect(await TLSProbe.speaksTLS(host: "127.0.0.1", port: port, within: patience) == isTLS)
        }
    }

    @Test func aPortThatIsClosedSpeaksNothing() async throws {
        let port = try ListeningSocket(address: "127.0.0.1", port: 0, for: "a test").port
        #expect(await !TLSProbe.speaksTLS(host: "127.0.0.1", port: port, within: .seconds(30)))
    }

    @Test func aLoginIsWrittenAsHTTPHasIt() {
        for text in ["", "a", "ab", "abc", "guest:gé€st😀"] {
            #expect(HTTPGet.Login.base64(Array(text.utf8)) == Data(text.utf8).base64EncodedString())
        }
        #expect(HTTPGet.Login(user: "guest", password: "guest").authorization == "Basic Z3Vlc3Q6Z3Vlc3Q=")
    }
}
