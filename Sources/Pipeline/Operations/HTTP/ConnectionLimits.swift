import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// The event by which a connection learns that its request is there as a whole.
private struct RequestIsComplete: Sendable {}

/// The event by which a connection learns that its answer goes on for as long as the client reads it.
struct AnswerIsStream: Sendable {}

/// Bounds what one client can cost: its time and its bytes, whatever it sends or leaves unsent.
///
/// Stands before the HTTP decoder. The time counts from the connection's beginning to the end of the request, and from
/// there to the connection's end, so no way of being slow escapes it (headers or bodies sent by the byte, a response
/// never read, nothing sent at all). An answer that is a stream has the time for each of its parts; a client that closes
/// its half of such a connection has left.
private final class ConnectionLimits: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Whether the client owes us (a part of) its request.
    private(set) var lacksRequest = true

    private let requestTime: TimeAmount
    private let answerTime: TimeAmount
    private var bytesLeft: Int
    private var deadline: Scheduled<Void>?
    private var isStream = false
    private var inputIsClosed = false
    /// Parts of a stream that the system has not taken yet.
    private var unwritten = 0

    init(requestTime: TimeAmount, answerTime: TimeAmount, bytes: Int) {
        self.requestTime = requestTime
        self.answerTime = answerTime
        bytesLeft = bytes
    }

    func handlerAdded(context: ChannelHandlerContext) {
        close(context.channel, in: requestTime)
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

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        switch event {
        case is RequestIsComplete:
            lacksRequest = false
            close(context.channel, in: answerTime)
            promise?.succeed()
        case is AnswerIsStream:
            isStream = true
            deadline?.cancel()
            deadline = nil
            promise?.succeed()
            if inputIsClosed { context.close(promise: nil) }
        default:
            context.triggerUserOutboundEvent(event, promise: promise)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            if isStream { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isStream else {
            context.write(data, promise: promise)
            return
        }
        let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
        unwritten += 1
        if deadline == nil { close(context.channel, in: answerTime) }
        let here = NIOLoopBound((handler: self, channel: context.channel), eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in here.value.handler.wrote(here.value.channel) }
        context.write(data, promise: promise)
    }

    private func wrote(_ channel: any Channel) {
        unwritten -= 1
        deadline?.cancel()
        deadline = nil
        if unwritten > 0, channel.isActive { close(channel, in: answerTime) }
    }

    private func close(_ channel: any Channel, in time: TimeAmount) {
        deadline?.cancel()
        deadline = channel.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }
}

/// Bounds how many connections are open, without letting those that send nothing keep others out.
///
/// Stands in the listening channel, whose connections have to be on the same event loop. When every place is taken, the
/// oldest connection without a whole request makes room for the next; only where each has one, the next waits.
final class ConnectionPlaces: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never
    typealias OutboundOut = Never

    private let places: Int
    private let requestTime: TimeAmount
    private let answerTime: TimeAmount
    private let bytes: Int

    /// Oldest first.
    private var connections: [(channel: any Channel, limits: ConnectionLimits)] = []
    private var isWaitingForPlace = false

    /// - Parameters:
    ///   - places: how many connections may be open.
    ///   - requestTime: how long a connection may take to send its request.
    ///   - answerTime: how long it may stay after that.
    ///   - bytes: how much it may send.
    init(_ places: Int, requestTime: TimeAmount, answerTime: TimeAmount, bytes: Int) {
        self.places = places
        self.requestTime = requestTime
        self.answerTime = answerTime
        self.bytes = bytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        let limits = ConnectionLimits(requestTime: requestTime, answerTime: answerTime, bytes: bytes)
        do {
            try channel.pipeline.syncOperations.addHandler(limits)
        } catch {
            // It is gone already.
            channel.close(promise: nil)
            return
        }
        connections.append((channel, limits))
        let here = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        channel.closeFuture.hop(to: context.eventLoop).whenComplete { _ in
            let (handler, context) = here.value
            handler.connections.removeAll { $0.channel === channel }
            if handler.isWaitingForPlace {
                handler.isWaitingForPlace = false
                context.read()
            }
        }
        context.fireChannelRead(data)
    }

    /// Asks the system for the next connection.
    func read(context: ChannelHandlerContext) {
        guard connections.count >= places else {
            context.read()
            return
        }
        // The end of any connection, this one's too, has the next one accepted.
        isWaitingForPlace = true
        connections.first { $0.limits.lacksRequest }?.channel.close(promise: nil)
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
            guard heads == 1 else { return }
            context.triggerUserOutboundEvent(RequestIsComplete(), promise: nil)
            context.fireChannelRead(data)
        }
    }
}
