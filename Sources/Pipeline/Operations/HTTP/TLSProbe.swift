import NIOCore
import NIOPosix

/// Whether TLS is spoken at a port: to plain AMQP such a port looks silent, or answers with bytes that make no sense.
package enum TLSProbe {
    private static let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Sends the beginning of a handshake (RFC 5246 section 7.4.1.2) and looks at the first bytes of the answer: only
    /// TLS begins one with a record of its own. False when there is no answer in time.
    package static func speaksTLS(host: String, port: UInt16, within timeout: Duration) async -> Bool {
        let loop = eventLoop.next()
        let answer = loop.makePromise(of: Bool.self)
        let deadline = loop.scheduleTask(in: TimeAmount(timeout)) { answer.succeed(false) }
        defer { deadline.cancel() }
        let connecting = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(timeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FirstBytes(answer))
                }
            }
            .connect(host: host, port: Int(port))
        connecting.whenFailure { _ in answer.succeed(false) }
        connecting.whenSuccess { channel in
            channel.writeAndFlush(ByteBuffer(bytes: clientHello), promise: nil)
            answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
        }
        return (try? await answer.futureResult.get()) ?? false
    }

    /// Whether bytes begin a TLS record: of an alert or a handshake, and a version 3.x.
    static func isTLS(_ bytes: some Collection<UInt8>) -> Bool {
        let start = Array(bytes.prefix(2))
        return start.count == 2 && (start[0] == 0x15 || start[0] == 0x16) && start[1] == 0x03
    }

    /// The least that is a ClientHello: TLS 1.2, one cipher suite that every implementation has to know, no extensions.
    /// Whether the server likes it does not matter, a refusal is an answer too.
    static let clientHello: [UInt8] = {
        let hello: [UInt8] = [0x03, 0x03] + [UInt8](repeating: 0x5A, count: 32) + [0, 0, 2, 0x00, 0x2F, 1, 0]
        let handshake: [UInt8] = [0x01, 0, 0, UInt8(hello.count)] + hello
        return [0x16, 0x03, 0x01, 0, UInt8(handshake.count)] + handshake
    }()
}

/// Judges the first bytes that a server sends; its end before them is no TLS.
private final class FirstBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answer: EventLoopPromise<Bool>
    private var bytes: [UInt8] = []

    init(_ answer: EventLoopPromise<Bool>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView
        if bytes.count >= 2 { answer.succeed(TLSProbe.isTLS(bytes)) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.succeed(false) }

    func channelInactive(context: ChannelHandlerContext) { answer.succeed(false) }
}
