import NIOCore
import NIOHTTP1
import NIOPosix

/// One GET over a connection of its own: how a probe and the live view ask a service's admin server.
package struct HTTPGet: Sendable {
    package struct Response: Sendable, Equatable {
        package let status: Int
        package let body: [UInt8]

        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// Why there is no answer.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }
    }

    /// A user and a password, for HTTP's basic authentication (RFC 7617).
    package struct Login: Sendable {
        let user: String
        /// Never printed or logged.
        let password: String

        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }

        var authorization: String { "Basic \(Self.base64(Array("\(user):\(password)".utf8)))" }

        /// RFC 4648 section 4.
        static func base64(_ bytes: [UInt8]) -> String {
            let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
            var text: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let group = bytes[start..<min(start + 3, bytes.count)]
                let number = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
                for place in 0..<4 {
                    text.append(
                        place <= group.count
                            ? digits[Int(number >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
                }
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// One thread for all, made with the first and kept.
    private static let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    package let host: String
    /// Where to ask when the host cannot be connected to.
    package let otherHost: String?
    package let port: UInt16
    package let path: String
    private let login: Login?

    package init(host: String, otherHost: String? = nil, port: UInt16, path: String, login: Login? = nil) {
        self.login = login
        self.host = host
        self.otherHost = otherHost
        self.port = port
        self.path = path
    }

    /// Reads `http://host:port/path`; the port is 80 and the path `/metrics` where they are not said.
    package init(url: String) throws(Failure) {
        let scheme = "http://"
        guard url.lowercased().hasPrefix(scheme) else {
            throw Failure("\"\(PrintableText.of(url, limit: 80))\" is no URL that begins with http://")
        }
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        var host = authority
        var port: UInt16 = 80
        // The colons of an IPv6 address stand in brackets.
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else {
                throw Failure("\"\(PrintableText.of(url, limit: 80))\" has no port from 1 to 65535")
            }
            port = number
            host = authority[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, !host.contains("@") else {
            throw Failure("\"\(PrintableText.of(url, limit: 80))\" names no host, or more than a host")
        }
        self.init(host: String(host), port: port, path: path.isEmpty ? "/metrics" : String(path))
    }

    package var endpoint: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Asks, and returns the whole answer, whatever its status. Throws ``Failure`` when there is none in time, and when
    /// the task is cancelled.
    package func response(within timeout: Duration) async throws(Failure) -> Response {
        let loop = Self.eventLoop.next()
        let answer = loop.makePromise(of: Response.self)
        let deadline = loop.scheduleTask(in: TimeAmount(timeout)) {
            answer.fail(Failure("\(endpoint) did not answer \(path) within \(timeout)"))
        }
        defer { deadline.cancel() }
        let (port, otherHost) = (Int(port), otherHost)
        @Sendable func connect(to host: String) -> EventLoopFuture<any Channel> {
            ClientBootstrap(group: loop)
                .connectTimeout(TimeAmount(timeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(ResponseCollector(answer))
                    }
                }
                .connect(host: host, port: port)
        }
        let connecting = connect(to: host)
            .flatMapError { error in
                guard let otherHost else { return loop.makeFailedFuture(error) }
                // The first is what was asked for, so its error is the one to tell.
                return connect(to: otherHost).flatMapErrorThrowing { _ in throw error }
            }
        connecting.whenFailure { answer.fail($0) }
        connecting.whenSuccess { channel in
            var head = HTTPRequestHead(
                version: .http1_1, method: .GET, uri: path,
                headers: ["host": endpoint, "connection": "close", "accept": "text/plain, application/json"])
            if let login { head.headers.add(name: "authorization", value: login.authorization) }
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
            // However it ended: the answer, an error, or the deadline.
            answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
        }
        do {
            return try await withTaskCancellationHandler {
                try await answer.futureResult.get()
            } onCancel: {
                answer.fail(Failure("nobody waits for the answer of \(endpoint) any more"))
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("\(endpoint) cannot be asked: \(Self.words(for: error))")
        }
    }

    private static func words(for error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return words(for: first.error) }
            return error.dnsAError == nil && error.dnsAAAAError == nil
                ? "no connection" : "the host name does not resolve"
        case let error as IOError: return SystemCall.words(for: error.errnoCode)
        case is ChannelError: return "no connection in time"
        default: return "\(error)"
        }
    }
}

/// Puts an answer together. The promise is kept in any case, at the latest with the end of the connection.
private final class ResponseCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    /// Far more than any page of ours has.
    private static let mostBytes = 8 << 20

    private let answer: EventLoopPromise<HTTPGet.Response>
    private var status = 0
    private var body: [UInt8] = []

    init(_ answer: EventLoopPromise<HTTPGet.Response>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let bytes):
            body += bytes.readableBytesView
            if body.count > Self.mostBytes { answer.fail(HTTPGet.Failure("the answer is longer than 8 MiB")) }
        case .end: answer.succeed(HTTPGet.Response(status: status, body: body))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(HTTPGet.Failure("the connection was closed before the answer was whole"))
    }
}
