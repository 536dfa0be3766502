import HTTPTypes
import HummingbirdCore
package import Logging
import NIOCore
import NIOHTTPTypes
import NIOPosix

/// Serves a service's metrics and health over HTTP/1.1.
///
/// - `GET /metrics`: the metrics in the Prometheus text format.
/// - `GET /livez`: 200 while the process works, whatever the broker does.
/// - `GET /readyz`: 200 while the service can do its work, else 503 with a line of why.
///
/// `init` binds, so a port that cannot be had is known before any work begins; `run()` serves until it is cancelled.
/// Each connection is good for one request of at most 64 KiB, which has to be there within 2 seconds, and whose answer
/// has to be taken within 10. At most 64 are open at a time: another takes the place of the oldest that has not sent its
/// request, so that idle ones cannot hold up the probes. All servers of a process share one thread.
package final class AdminServer: Sendable {
    /// The port that is listened on, also where 0 was asked for.
    package var port: UInt16 { socket.port }
    /// Address and port.
    package var endpoint: String { socket.endpoint }

    /// One thread for all servers of a process, made with the first and kept: an idle one costs its stack only.
    private static let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private enum Limit {
        static let connections = 64
        static let requestBytes = 64 * 1024
        static let headerBytes = 16 * 1024
        static let headerFields = 100
        /// Ours, not the clients': a fast client is done in milliseconds.
        static let request = TimeAmount.seconds(2)
        static let answer = TimeAmount.seconds(10)
        /// What a response in the making has when the server stops.
        static let farewell = TimeAmount.milliseconds(250)
    }

    private let socket: ListeningSocket
    private let metrics: @Sendable () -> [UInt8]
    private let readiness: @Sendable () -> Readiness
    private let logger: Logger
    private let answerTime: TimeAmount

    /// Binds the address.
    ///
    /// - Parameters:
    ///   - address: an address of this machine; `0.0.0.0` or `::` for all of them.
    ///   - port: 0 for any that is free.
    ///   - registry: what `/metrics` shows.
    ///   - readiness: what `/readyz` says; called for every such request, on any thread, must not block.
    ///   - answerTime: how long a client may take to read its answer, for tests.
    /// - Throws: when the address cannot be bound, with the reason and a remedy.
    package init(
        address: String,
        port: UInt16,
        registry: PrometheusRegistry,
        readiness: @escaping @Sendable () -> Readiness,
        logger: Logger,
        answerTime: Duration? = nil
    ) throws(AdminServerError) {
        socket = try ListeningSocket(address: address, port: port)
        metrics = { registry.exposition() }
        self.readiness = readiness
        self.logger = logger
        self.answerTime = answerTime.map(TimeAmount.init) ?? Limit.answer
    }

    /// Throws as `init` does when the address cannot be bound now; nothing stays bound.
    package static func checkFree(address: String, port: UInt16) throws(AdminServerError) {
        _ = try ListeningSocket(address: address, port: port)
    }

    /// Serves until the task is cancelled; returns then, within moments, with the port free again.
    ///
    /// To be called once. Throws only if the system takes the listening socket away.
    package func run() async throws(AdminServerError) {
        guard let descriptor = socket.take() else {
            preconditionFailure("AdminServer.run() called twice")
        }
        do {
            try await serve(descriptor)
        } catch is CancellationError {
            // Cancellation is how it is stopped.
        } catch {
            throw AdminServerError(
                code: .system, endpoint: endpoint, found: String(describing: error),
                remedy: "see the limits of the process and the system")
        }
    }

    private func serve(_ descriptor: Int32) async throws {
        let http = HTTP1Channel(
            responder: { [self] request, writer, _ in
                let (head, body) = response(to: request)
                try await writer.write(response: head, body: body)
            },
            configuration: .init(
                additionalChannelHandlers: [OneRequestOnly()],
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Limit.headerBytes,
                    maxHeaderListSize: Limit.headerBytes,
                    maxHeaderFieldCount: Limit.headerFields)))
        // What Hummingbird has to say of single connections is the clients' affair.
        let silent = Logger(label: "http") { _ in SwiftLogNoOpLogHandler() }
        let answerTime = self.answerTime
        // Not NIO's own sequence of connections: that ends with the first error of the listener, such as too many open
        // files, or with cancellation, and NIO ends the process when a connection is then dropped unanswered.
        let (connections, arrivals) = AsyncStream.makeStream(of: HTTP1Channel.Value.self)
        let listener = try await ServerBootstrap(group: Self.eventLoop)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ConnectionPlaces(
                            Limit.connections, requestTime: Limit.request, answerTime: answerTime,
                            bytes: Limit.requestBytes))
                }
            }
            // One at a time, so that the limit above is exact.
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            // A client that has sent all it wants may close its half and still read.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 2048))
            .childChannelInitializer { channel in
                http.setup(channel: channel, logger: silent).map { connection in
                    guard case .terminated = arrivals.yield(connection) else { return }
                    channel.close(promise: nil)
                    Task { await http.handle(value: connection, logger: silent) }
                }
            }
            .withBoundSocket(descriptor)
            .get()
        listener.closeFuture.whenComplete { _ in arrivals.finish() }
        logger.debug("Serving metrics and health", metadata: ["address": "\(endpoint)"])
        // A task that cancellation does not reach: every connection that has come is answered or closed.
        let serving = Task { await Self.answer(connections, with: http, logger: silent) }
        await withTaskCancellationHandler {
            await serving.value
        } onCancel: {
            listener.close(promise: nil)
        }
        guard Task.isCancelled else { throw ChannelError.alreadyClosed }
    }

    /// Answers each connection until there are no more, and then gives those that are open a moment.
    private static func answer(
        _ connections: AsyncStream<HTTP1Channel.Value>, with http: HTTP1Channel, logger: Logger
    ) async {
        await withDiscardingTaskGroup { group in
            for await connection in connections {
                group.addTask {
                    await withTaskCancellationHandler {
                        await http.handle(value: connection, logger: logger)
                    } onCancel: {
                        let channel = connection.channel
                        channel.eventLoop.scheduleTask(in: Limit.farewell) { channel.close(promise: nil) }
                    }
                }
            }
            group.cancelAll()
        }
    }

    // MARK: Requests

    private func response(to request: Request) -> (HTTPResponse, ResponseBody) {
        let answer = answer(to: request)
        var head = HTTPResponse(status: answer.status)
        head.headerFields[.contentType] = answer.type
        head.headerFields[.contentLength] = String(answer.body.count)
        head.headerFields[.connection] = "close"
        head.headerFields[.cacheControl] = "no-store"
        if answer.status == .methodNotAllowed { head.headerFields[.allow] = "GET, HEAD" }
        // HEAD is told the length of what GET would get.
        let body = request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body))
        return (head, body)
    }

    private struct Answer {
        let status: HTTPResponse.Status
        var type = "text/plain; charset=utf-8"
        let body: [UInt8]

        init(_ status: HTTPResponse.Status, _ line: String) {
            self.status = status
            // One line, also where the reason came from elsewhere.
            body = Array((PrintableText.of(line, limit: 1000) + "\n").utf8)
        }

        init(metrics: [UInt8]) {
            status = .ok
            type = PrometheusRegistry.contentType
            body = metrics
        }
    }

    private func answer(to request: Request) -> Answer {
        let path = request.uri.path
        guard ["/metrics", "/livez", "/readyz"].contains(path) else {
            return Answer(.notFound, "nothing here: try /metrics, /livez or /readyz")
        }
        guard request.method == .get || request.method == .head else {
            return Answer(.methodNotAllowed, "\(request.method.rawValue) is not possible here: use GET")
        }
        switch path {
        case "/metrics": return Answer(metrics: metrics())
        case "/livez": return Answer(.ok, "ok")
        default:
            switch readiness() {
            case .ready: return Answer(.ok, "ok")
            case .notReady(let reason): return Answer(.serviceUnavailable, reason)
            }
        }
    }
}
