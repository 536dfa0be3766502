import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import NIOPosix

/// Serves short answers and streams over HTTP/1.1, with bounds on what any client can cost.
///
/// `init` binds, so a port that cannot be had is known before any work begins; `run()` serves until it is cancelled.
/// Each connection is good for one request of at most 64 KiB, which has to be there within 2 seconds, and whose answer
/// has to be taken within 10, of a stream each part. At most 64 are open at a time and socket: another takes the place
/// of the oldest that has not sent its request, so that idle ones cannot hold up the probes. All servers of a process
/// share one thread.
final class HTTPServer: Sendable {
    /// The port that is listened on, also where 0 was asked for.
    var port: UInt16 { socket.port }
    /// Address and port.
    var endpoint: String { socket.endpoint }

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
    private let subject: String
    private let logger: Logger
    private let answerTime: TimeAmount
    private let answer: @Sendable (Request) -> HTTPAnswer

    /// Binds the address.
    ///
    /// - Parameters:
    ///   - subject: what is served, for errors and the log.
    ///   - address: an address of this machine; `*` for all of them, `localhost` for loopback, each of both families.
    ///   - port: 0 for any that is free.
    ///   - answerTime: how long a client may take to read its answer, for tests.
    ///   - answer: called for every request, on any thread; must not block.
    /// - Throws: when the address cannot be bound, with the reason and a remedy.
    init(
        _ subject: String, address: String, port: UInt16, logger: Logger, answerTime: Duration? = nil,
        answer: @escaping @Sendable (Request) -> HTTPAnswer
    ) throws(HTTPServerError) {
        socket = try ListeningSocket(address: address, port: port, for: subject)
        self.subject = subject
        self.logger = logger
        self.answerTime = answerTime.map(TimeAmount.init) ?? Limit.answer
        self.answer = answer
    }

    /// Throws as `init` does when the address cannot be bound now; nothing stays bound.
    static func checkFree(_ subject: String, address: String, port: UInt16) throws(HTTPServerError) {
        _ = try ListeningSocket(address: address, port: port, for: subject)
    }

    /// Serves until the task is cancelled; returns then, within moments, with the port free again.
    ///
    /// To be called once. Throws only if the system takes the listening socket away.
    func run() async throws(HTTPServerError) {
        guard let descriptors = socket.take() else {
            preconditionFailure("HTTPServer.run() called twice")
        }
        do {
            try await serve(descriptors)
        } catch is CancellationError {
            // Cancellation is how it is stopped.
        } catch {
            throw HTTPServerError(
                code: .system, subject: subject, endpoint: endpoint, found: String(describing: error),
                remedy: "see the limits of the process and the system")
        }
    }

    private func serve(_ descriptors: [Int32]) async throws {
        let http = HTTP1Channel(
            responder: { [self] request, writer, channel in
                let (head, body) = response(to: request, on: channel)
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
        let bootstrap = ServerBootstrap(group: Self.eventLoop)
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
        var listeners: [any Channel] = []
        for descriptor in descriptors { listeners.append(try await bootstrap.withBoundSocket(descriptor).get()) }
        let open = listeners
        // One that the system takes away ends the whole.
        for listener in open {
            listener.closeFuture.whenComplete { _ in
                arrivals.finish()
                for other in open { other.close(promise: nil) }
            }
        }
        logger.debug("Serving \(subject)", metadata: ["address": "\(endpoint)"])
        // A task that cancellation does not reach: every connection that has come is answered or closed.
        let serving = Task { await Self.answer(connections, with: http, logger: silent) }
        await withTaskCancellationHandler {
            await serving.value
        } onCancel: {
            for listener in open { listener.close(promise: nil) }
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

    // MARK: Answers

    private func response(to request: Request, on channel: any Channel) -> (HTTPResponse, ResponseBody) {
        let answer = answer(request)
        var head = HTTPResponse(status: answer.status, headerFields: answer.fields)
        head.headerFields[.connection] = "close"
        head.headerFields[.cacheControl] = "no-store"
        // HEAD is told of the body that GET would get, and gets none.
        let isHead = request.method == .head
        switch answer.body {
        case .whole(let bytes):
            head.headerFields[.contentLength] = String(bytes.count)
            return (head, isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        case .stream(let parts):
            guard isHead else { return (head, Self.body(of: parts, on: channel)) }
            parts.end()
            // Without a length the encoder writes the end of a body.
            head.headerFields[.contentLength] = "0"
            return (head, ResponseBody())
        }
    }

    private static func body(of parts: PartStream, on channel: any Channel) -> ResponseBody {
        // A client that leaves is not heard of by writing as long as there is nothing to write.
        channel.closeFuture.whenComplete { _ in parts.end() }
        return ResponseBody { writer in
            try await channel.triggerUserOutboundEvent(AnswerIsStream()).get()
            for await part in parts.all { try await writer.write(ByteBuffer(bytes: part)) }
            try await writer.finish(nil)
        }
    }
}
