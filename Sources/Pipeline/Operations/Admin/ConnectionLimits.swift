import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Bounds what one client can cost: its time and its bytes, whatever it sends or leaves unsent.
///
/// Stands before the HTTP decoder. A limit on the whole of a connection's life needs no knowledge of the protocol, so
/// no way of being slow escapes it (headers or bodies sent by the byte, a response never read, nothing sent at all).
final class ConnectionLimits: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let lifetime: TimeAmount
    private var bytesLeft: Int
    private var deadline: Scheduled<Void>?

    init(lifetime: TimeAmount, bytes: Int) {
        self.lifetime = lifetime
        bytesLeft = bytes
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: lifetime) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytesLeft -= unwrapInboundIn(data).readableBytes
        guard bytesLeft >= 0 else {
            context.close(promise: nil)
            return
        }
        context.fireChannelRead(data)
    }
}

/// Lets one request through and no body.
///
/// The answer is then the connection's last: a probe or a scrape every few seconds gains nothing from a connection kept
/// open, and one that is not kept open cannot be held by an idle client. What follows the first head is dropped here,
/// so that it piles up nowhere.
final class OneRequestOnly: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private var heads = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(var head):
            heads += 1
            guard heads == 1 else { return }
            // Tells the server to end the connection after the response.
            head.headerFields[.connection] = "close"
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .body:
            break
        case .end:
            if heads == 1 { context.fireChannelRead(data) }
        }
    }
}
