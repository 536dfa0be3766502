import HTTPTypes

/// What a server says to one request.
struct HTTPAnswer: Sendable {
    enum Body: Sendable {
        case whole([UInt8])
        /// Goes on until the stream ends, the client leaves or the server stops.
        case stream(PartStream)
    }

    let status: HTTPResponse.Status
    var fields: HTTPFields = [:]
    let body: Body

    init(_ status: HTTPResponse.Status, type: String, body: [UInt8]) {
        self.status = status
        self.body = .whole(body)
        fields[.contentType] = type
    }

    /// One line of text, also where its words came from elsewhere.
    init(_ status: HTTPResponse.Status, _ line: String) {
        self.init(
            status, type: "text/plain; charset=utf-8", body: Array((PrintableText.of(line, limit: 1000) + "\n").utf8))
    }

    init(type: String, stream: PartStream) {
        status = .ok
        body = .stream(stream)
        fields[.contentType] = type
    }

    /// Nil where GET or HEAD was asked; what to say of another method.
    static func refusal(of method: HTTPRequest.Method) -> HTTPAnswer? {
        if method == .get || method == .head { return nil }
        var answer = HTTPAnswer(.methodNotAllowed, "\(method.rawValue) is not possible here: use GET")
        answer.fields[.allow] = "GET, HEAD"
        return answer
    }
}

/// Parts of an answer as they come, for a reader that may be slow: it gets the newest, not each.
///
/// So a part has to be whole in itself, and a reader that does not read costs the memory of one.
final class PartStream: Sendable {
    private let parts: (stream: AsyncStream<[UInt8]>, continuation: AsyncStream<[UInt8]>.Continuation)

    /// - Parameter onEnd: called once, when there is no reader any more, whoever ended it.
    init(onEnd: @escaping @Sendable () -> Void) {
        parts = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        parts.continuation.onTermination = { _ in onEnd() }
    }

    /// Never waits.
    func send(_ part: [UInt8]) { parts.continuation.yield(part) }

    /// Ends the stream after what was sent last.
    func end() { parts.continuation.finish() }

    /// The parts, for one reader, until the end or its cancellation.
    var all: AsyncStream<[UInt8]> { parts.stream }
}
