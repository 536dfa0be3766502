/// A socket that is still to connect, and who waits for that. An object, as ``Blockade`` is, since the loop looks at both in
/// every turn, and for a reference that is quick.
private final class ConnectAttempt {
    var waiter: CheckedContinuation<Void, any Error>?
    let deadline: Instant

    init(deadline: Instant) { self.deadline = deadline }
}

/// That the broker takes no messages, why, and since when.
final class Blockade {
    let reason: String
    let since: Instant

    init(reason: String, since: Instant) {
        self.reason = reason
        self.since = since
    }
}

/// One live TCP connection to a broker, from connect to its end. Recovery makes a new one. Touched by the connection's
/// thread alone; nothing here blocks.
final class Session {
    let endpoint: ConnectionConfiguration.Endpoint
    private let configuration: ConnectionConfiguration
    private let world: World
    private let transport: any Transport
    private let sendBuffer = SendBuffer()
    private let receiveBuffer = ReceiveBuffer()
    private let pool = WirePool()
    private let names = NameCache()
    private let storage: BodyStorage
    /// Messages that are written piece by piece, each on a channel of its own, in turn.
    private var outgoing = Ring<OutgoingBody>()
    /// Those of which all is encoded, and the end still waits for the socket.
    private var ending: [OutgoingBody] = []
    /// By number, from 1 on; what stands at 0 is nothing, since ``control`` is not opened.
    private var channels: [Channel?] = [nil]
    private let control = Channel(number: 0)
    /// Nil once it is connected, or has failed.
    private var connecting: ConnectAttempt?
    /// When it has to be logged in.
    private let loginDeadline: Instant
    private var heartbeat: HeartbeatMonitor
    private var frameMax: Int
    private var channelMax: UInt16
    /// Channels that the broker owes an answer and that nobody waits for any more.
    private var abandoned = 0
    /// The broker's reason and since when, while it blocks publishing (RabbitMQ, "Blocked Connection Notifications").
    private(set) var blocked: Blockade?
    /// Why the session ended.
    private(set) var failure: AMQPError?
    /// What the broker says it is, for the log.
    private(set) var serverName = "a broker"

    /// RabbitMQ's own default. A larger one is of no use to it, a smaller one costs frames.
    private static let largestFrame = 131_072
    /// A broker may allow no smaller one (AMQP 0-9-1, constant frame-min-size).
    private static let smallestFrame = 4_096
    /// With as many channels abandoned it is not a queue that is sick but the connection.
    private static let mostAbandoned = 64

    /// Begins to connect to one address.
    init(
        endpoint: ConnectionConfiguration.Endpoint, address: ResolvedAddress, configuration: ConnectionConfiguration
    ) throws(AMQPError) {
        self.endpoint = endpoint
        self.configuration = configuration
        storage = BodyStorage(configuration)
        channelMax = max(1, configuration.channelMax)
        frameMax = min(Self.largestFrame, Int(clamping: configuration.frameMax))
        world = configuration.world
        let stream = try world.surroundings.connect(to: address, Liveness(configuration))
        transport =
            if let tls = configuration.tls { try TLSStream(over: stream, tls, host: endpoint.host) } else { stream }
        let now = world.now
        heartbeat = HeartbeatMonitor(interval: nil, now: now)
        loginDeadline = now + configuration.connectTimeout
        connecting = ConnectAttempt(deadline: loginDeadline)
    }

    deinit {
        // Channels hold their users, and what they write, which hold them, while a session lives.
        for case let channel? in channels {
            channel.user = nil
            channel.outgoing = nil
        }
    }

    // MARK: Login

    private var isConnected: Bool { connecting == nil }

    /// Waits until the socket is connected. Throws ``AMQPError``.
    func connected() async throws {
        try await withCheckedThrowingContinuation { (waiter: CheckedContinuation<Void, any Error>) in
            if let failure { return waiter.resume(throwing: failure) }
            if let connecting { connecting.waiter = waiter } else { waiter.resume() }
        }
    }

    /// Logs in and opens the virtual host (AMQP 0-9-1 section 2.2.4), within the same time-out as connecting. Throws
    /// ``AMQPError``.
    func logIn(password: String) async throws {
        let deadline = loginDeadline
        let start: IncomingMethod
        do {
            start = try await reply(on: control, deadline: deadline) { sendBuffer.appendProtocolHeader() }
        } catch let error as AMQPError where error.code == .connectionLost {
            // RabbitMQ's TLS port does not answer what is no TLS. With TLS 1.3 it may reset the connection of a client without
            // a certificate before that can read why.
            throw AMQPError(
                .connectionLost, error.message,
                remedy: configuration.tls == nil
                    ? "check that the broker runs and that host and port are right, and use amqps:// where it speaks TLS"
                    : "see the broker's log; it may want a client certificate, or another one")
        }
        guard case .connectionStart(let mechanisms, let properties) = start else {
            throw unexpected("connection.start")
        }
        if case .string(let product)? = properties["product"], case .string(let version)? = properties["version"] {
            serverName = "\(product) \(version)"
        }
        let mechanism = configuration.loginMechanism.rawValue
        guard mechanisms.split(separator: " ").contains(mechanism[...]) else {
            throw AMQPError(
                .loginRefused, "the broker at \(endpoint) offers \(mechanisms), and not \(mechanism)",
                remedy: "allow \(mechanism) in the broker's auth_mechanisms")
        }
        let tune: IncomingMethod
        do {
            tune = try await reply(on: control, deadline: deadline) {
                try send(configuration.login(password: password), on: control)
            }
        } catch let error as AMQPError where error.replyCode == 403 {
            throw AMQPError(
                .loginRefused, "the broker at \(endpoint) refused the login of \(configuration.userInWords)",
                replyCode: error.replyCode, replyText: error.replyText,
                remedy: configuration.loginMechanism == .external
                    ? "see which user its ssl_cert_login_from makes of the certificate, and that there is one"
                    : "check user and password; 'guest' may only log in from the broker's own machine")
        }
        guard case .connectionTune(let channelMax, let frameMax, let seconds) = tune else {
            throw unexpected("connection.tune")
        }
        try agree(channelMax: channelMax, frameMax: frameMax, heartbeat: seconds)
        do {
            let openOk = try await reply(on: control, deadline: deadline) {
                try send(.connectionOpen(virtualHost: configuration.virtualHost), on: control)
            }
            guard case .connectionOpenOk = openOk else { throw unexpected("connection.open-ok") }
        } catch let error as AMQPError where error.code == .connectionLimitReached {
            throw AMQPError(
                .connectionLimitReached,
                "the broker at \(endpoint) takes no further connection of \(configuration.userInWords) to the virtual host "
                    + "'\(configuration.virtualHost)'",
                replyCode: error.replyCode, replyText: error.replyText, remedy: error.remedy)
        } catch let error as AMQPError where error.replyCode == 530 || error.replyCode == 403 {
            throw AMQPError(
                .virtualHostRefused,
                "the broker at \(endpoint) does not let \(configuration.userInWords) into the virtual host "
                    + "'\(configuration.virtualHost)'",
                replyCode: error.replyCode, replyText: error.replyText,
                remedy: "create the virtual host, or give the user permissions in it")
        }
    }

    /// Takes the lower of both sides' limits, where 0 means none (AMQP 0-9-1, connection.tune).
    private func agree(channelMax: UInt16, frameMax: UInt32, heartbeat seconds: UInt16) throws(AMQPError) {
        if channelMax > 0 { self.channelMax = min(self.channelMax, channelMax) }
        if frameMax > 0 { self.frameMax = min(self.frameMax, Int(clamping: frameMax)) }
        guard self.frameMax >= Self.smallestFrame else {
            throw AMQPError(
                .protocolViolation, "the broker wants frames of at most \(frameMax) bytes; 4096 is the least in AMQP")
        }
        // A part of a second counts as one: to turn heartbeats off takes a zero.
        let asked = configuration.heartbeat.nanoseconds
        let wanted = asked <= 0 ? 0 : UInt16(clamping: (asked - 1) / 1_000_000_000 + 1)
        let agreed = wanted == 0 || seconds == 0 ? max(wanted, seconds) : min(wanted, seconds)
        // Zero on our side turns heartbeats off, whatever the broker offers (RabbitMQ, "Heartbeats").
        let holds = wanted == 0 ? 0 : agreed
        heartbeat = HeartbeatMonitor(interval: holds == 0 ? nil : .seconds(Int64(holds)), now: world.now)
        try send(
            .connectionTuneOk(channelMax: self.channelMax, frameMax: UInt32(self.frameMax), heartbeat: holds),
            on: control)
    }

    // MARK: Channels and calls

    /// Opens a channel with the lowest number that is free.
    func openChannel() async throws -> Channel {
        guard failure == nil else { throw lost }
        let number = channels.dropFirst().firstIndex { $0 == nil } ?? channels.count
        guard number <= max(1, channelMax) else {
            throw AMQPError(
                .systemResource, "all \(channelMax) channels of the connection are in use",
                remedy: "open another connection")
        }
        let channel = Channel(number: UInt16(number))
        if number == channels.count { channels.append(channel) } else { channels[number] = channel }
        _ = try await call(.channelOpen, on: channel)
        return channel
    }

    /// Runs `body` with a channel that is closed however it ends, and given up where the broker does not answer on it.
    func withChannel<Result>(_ body: (Channel) async throws -> Result) async throws -> Result {
        let channel = try await openChannel()
        channel.isExpendable = true
        do {
            let result = try await body(channel)
            try await close(channel)
            return result
        } catch {
            // Closed already where the broker has refused something; the error of `body` is the one to tell.
            try? await close(channel)
            throw error
        }
    }

    /// Closes a channel and waits until the broker has done so, which it does after all it was sent before.
    func close(_ channel: Channel, timeout: Duration? = nil) async throws {
        guard channel.isOpen, !channel.isClosing, failure == nil else { return }
        _ = try await call(.channelClose(replyCode: 200, replyText: "done"), on: channel, timeout: timeout)
        forget(channel, AMQPError(.connectionClosed, "the channel was closed"))
    }

    /// Sends a method and waits for its reply, at most `timeout`, or else the reply time-out. Without one an expendable
    /// channel is given up, with `timedOut`; with any other the session counts as broken.
    func call(
        _ method: OutgoingMethod, on channel: Channel, timeout: Duration? = nil
    ) async throws -> IncomingMethod {
        let deadline = world.now + (timeout ?? configuration.replyTimeout)
        let reply = try await reply(on: channel, deadline: deadline) {
            if let closed = channel.closed { throw closed }
            // What comes behind a channel.close would find no channel, which ends the whole connection (504).
            guard !channel.isClosing else { throw AMQPError(.connectionClosed, "the channel is being closed") }
            if case .channelClose = method { channel.isClosing = true }
            try send(method, on: channel)
        }
        // The reply and the end may have come in one read, and then the end has been dealt with before this task goes
        // on.
        if let failure { throw failure }
        if let closed = channel.closed { throw closed }
        guard reply.answers(method) else {
            let error = AMQPError(.protocolViolation, "the broker at \(endpoint) gave an answer to something else")
            fail(error)
            throw error
        }
        return reply
    }

    func send(_ method: OutgoingMethod, on channel: Channel) throws(AMQPError) {
        if let outgoing = channel.outgoing { return outgoing.behind.append(method) }
        try sendBuffer.append(method, channel: channel.number, frameMax: frameMax)
    }

    /// Encodes a message, of a large one the beginning; the rest goes when the socket takes it. Throws
    /// ``AMQPError/Code/invalidMessage``, and then nothing is sent.
    func publish(_ request: PublishRequest, on channel: Channel) throws(AMQPError) {
        guard request.message.bodySize <= OutgoingBody.encodedAtOnce else {
            // Once begun, a message that cannot go on costs the connection.
            if let body = request.message.largeBody { try body.checkReadable() }
            try sendBuffer.appendBeginning(
                of: request.message, exchange: request.exchange, routingKey: request.routingKey,
                mandatory: request.mandatory, channel: channel.number, frameMax: frameMax)
            let body = OutgoingBody(request, on: channel)
            channel.outgoing = body
            return outgoing.append(body)
        }
        try sendBuffer.append(
            request.message, exchange: request.exchange, routingKey: request.routingKey, mandatory: request.mandatory,
            channel: channel.number, frameMax: frameMax)
    }

    /// Closes the connection and waits for the broker's word, for at most `timeout`.
    func close(timeout: Duration) async {
        guard failure == nil, isConnected else { return }
        do {
            _ = try await reply(on: control, deadline: world.now + timeout) {
                try send(.connectionClose(replyCode: 200, replyText: "done"), on: control)
            }
        } catch {
            // The connection is going away either way; nothing depends on the broker's answer.
        }
    }

    /// Sends something and waits for the reply to it. Both in one job: a task that prefers another executor is put off at any
    /// call in between, and then the reply may come before anything waits for it.
    private func reply(
        on channel: Channel, deadline: Instant, to send: () throws -> Void
    ) async throws -> IncomingMethod {
        try await withCheckedThrowingContinuation { reply in
            do {
                if let failure { throw failure }
                try send()
                channel.await(reply, deadline: deadline)
            } catch {
                reply.resume(throwing: error)
            }
        }
    }

    private func forget(_ channel: Channel, _ error: AMQPError) {
        free(channel)
        channel.close(error)
    }

    private func free(_ channel: Channel) {
        let number = Int(channel.number)
        guard number < channels.count, channels[number] === channel else { return }
        channels[number] = nil
        if channel.isAbandoned { abandoned -= 1 }
    }

    private var lateReply: AMQPError { AMQPError(.connectionLost, "the broker did not answer in time") }

    private var lost: AMQPError { failure ?? AMQPError(.connectionLost, "the connection is gone") }

    private func unexpected(_ method: String) -> AMQPError {
        AMQPError(.protocolViolation, "the broker at \(endpoint) answered with something else than \(method)")
    }

    // MARK: Turns of the loop

    /// Whether more may be encoded now. Keeps what waits for a slow socket bounded.
    var hasRoom: Bool { sendBuffer.count < 1 << 20 }

    /// Writes what the socket takes. Throws ``AMQPError/Code/connectionLost``.
    func write(now: Instant) throws(AMQPError) {
        guard isConnected else { return }
        // Bounded, as reading is.
        var rounds = 16
        while rounds > 0 {
            if !outgoing.isEmpty { try encodeBodies() }
            guard !sendBuffer.isEmpty else { return }
            let before = sendBuffer.count
            try sendBuffer.write(to: transport)
            if sendBuffer.count < before {
                heartbeat.sent(at: now)
                if !outgoing.isEmpty || !ending.isEmpty { noteProgress(now: now) }
            }
            guard sendBuffer.isEmpty, !outgoing.isEmpty else { return }
            rounds -= 1
        }
    }

    /// The socket has taken something; the frames of all large messages go in turn, so each of them gets on.
    private func noteProgress(now: Instant) {
        for position in 0..<outgoing.count { outgoing[position].progressed(at: now) }
        for body in ending { body.progressed(at: now) }
        ending.removeAll { $0.end <= sendBuffer.written }
    }

    /// Whether the rest of a message waits for the socket.
    var isWritingALargeMessage: Bool { !outgoing.isEmpty }

    /// Encodes a little of the messages that are written piece by piece, a frame of each in turn.
    private func encodeBodies() throws(AMQPError) {
        while sendBuffer.count < OutgoingBody.encodedAtOnce, let body = outgoing.popFirst() {
            // Of a channel that the broker has closed, whatever was under way is void.
            guard body.channel.outgoing === body else { continue }
            do {
                body.position += try sendBuffer.appendBodyFrame(
                    of: body.request.message, from: body.position, channel: body.channel.number, frameMax: frameMax)
            } catch {
                // Half a message cannot be taken back. The broker drops what has come of it, and to publish the same
                // body again would end the next connection too.
                body.request.fail(
                    AMQPError(
                        .invalidMessage,
                        "the message to '\(body.request.exchange)' was not published: \(error.message)",
                        remedy: error.remedy, cause: error.code))
                throw AMQPError(
                    .connectionLost, "a message was cut off, since the rest of it is lost: \(error.message)")
            }
            guard body.isWhole else {
                outgoing.append(body)
                continue
            }
            body.end = sendBuffer.appended
            ending.append(body)
            body.channel.outgoing = nil
            for method in body.behind { try send(method, on: body.channel) }
        }
    }

    /// What the loop should wait for.
    var interest: PollInterest {
        var deadline = Instant.earlier(heartbeat.silenceDeadline, connecting?.deadline)
        // What waits for the socket is a sign of life as good as a heartbeat.
        if sendBuffer.isEmpty { deadline = .earlier(deadline, heartbeat.sendDeadline) }
        if let blocked { deadline = .earlier(deadline, blocked.since + configuration.blockedTimeout) }
        deadline = .earlier(deadline, control.nextDeadline)
        for case let channel? in channels { deadline = .earlier(deadline, channel.nextDeadline) }
        return PollInterest(
            descriptor: transport.descriptor,
            wantsWrite: transport.wantsWrite || !sendBuffer.isEmpty || !outgoing.isEmpty, deadline: deadline)
    }

    /// Whether something is there to be taken in of which the descriptor does not tell.
    var hasUnread: Bool { isConnected && transport.hasUnread }

    /// Whether the peer counts as dead, unless the socket has something unread.
    func isSilent(now: Instant) -> Bool { heartbeat.silenceDeadline.map { now >= $0 } ?? false }

    /// Does what time asks for. Throws what ends the session.
    func checkDeadlines(now: Instant) throws(AMQPError) {
        if let failure { throw failure }
        if let connecting, now >= connecting.deadline {
            throw AMQPError(.connectionLost, "no connection within \(configuration.connectTimeout)")
        }
        if let silence = heartbeat.silenceDeadline, now >= silence, let patience = heartbeat.patience {
            throw AMQPError(.connectionLost, "nothing was heard from the broker for \(patience)")
        }
        if let blocked, now >= blocked.since + configuration.blockedTimeout {
            throw AMQPError(
                .connectionLost, "the broker blocked publishing for \(configuration.blockedTimeout) (\(blocked.reason))"
            )
        }
        if let deadline = control.nextDeadline, now >= deadline { throw lateReply }
        for case let channel? in channels {
            guard let deadline = channel.nextDeadline, now >= deadline else { continue }
            // Whoever closes it is on the way out; what it means for the connection is the heartbeats' to find.
            guard channel.isClosing else {
                try abandon(channel)
                continue
            }
            // Its number stays taken until the close-ok, since frames for it may still be on their way.
            channel.close(AMQPError(.connectionLost, "the broker did not confirm in time that a channel is closed"))
        }
        if let due = heartbeat.sendDeadline, now >= due, sendBuffer.isEmpty {
            sendBuffer.appendHeartbeat()
            try write(now: now)
        }
    }

    /// Gives up a channel on which the broker owes a reply. The connection may be well: a queue whose node is gone can keep
    /// a channel waiting (RabbitMQ 4.3 for a minute). Its number stays taken until the close-ok. Throws what ends the
    /// session, where the channel is one that it cannot do without.
    private func abandon(_ channel: Channel) throws(AMQPError) {
        guard channel.isExpendable, abandoned < Self.mostAbandoned else { throw lateReply }
        abandoned += 1
        channel.isAbandoned = true
        channel.isClosing = true
        try send(.channelClose(replyCode: 200, replyText: "no answer in time"), on: channel)
        channel.close(AMQPError(.timedOut, "the broker did not answer in time; the connection to it is alive"))
    }

    /// Takes in all that the socket has, or finishes to connect. Throws what ends the session.
    func receive(now: Instant) throws(AMQPError) {
        if let connecting {
            guard try transport.finishConnecting() else { return }
            self.connecting = nil
            connecting.waiter?.resume()
            return
        }
        var more = true
        // Bounded, so that a fast broker cannot keep the thread from the jobs that wait.
        var rounds = 16
        while more, rounds > 0 {
            let filled = try receiveBuffer.fill(from: transport)
            more = filled.mayHaveMore
            rounds -= 1
            if filled.count > 0 { heartbeat.received(at: now) }
            while let frame = try unsafe receiveBuffer.nextFrame(frameMax: frameMax) {
                try unsafe handle(frame)
                if let failure { throw failure }
            }
        }
        receiveBuffer.shrinkWhenEmpty()
    }

    /// Ends the session: everything that waits for it is told, and the broker sees the end of the stream.
    func fail(_ error: AMQPError) {
        guard failure == nil else { return }
        failure = error
        transport.close()
        connecting.take()?.waiter?.resume(throwing: error)
        control.close(error)
        let open = channels
        channels = [nil]
        outgoing = Ring()
        ending = []
        for case let channel? in open {
            channel.outgoing = nil
            channel.close(error)
        }
    }

    private func handle(_ frame: ReceiveBuffer.Frame) throws(AMQPError) {
        defer { pool.recycle() }
        switch unsafe frame.type {
        case 1:
            let method = try unsafe IncomingMethod(payload: frame.payload, pool: pool, names: names)
            if unsafe frame.channel == 0 {
                try handle(method)
            } else {
                try unsafe handle(method, on: channel(of: frame))
            }
        case 2:
            guard unsafe frame.payload.count >= 14 else {
                throw AMQPError(.protocolViolation, "a short content header")
            }
            let bodySize = unsafe UInt64(bigEndian: frame.payload.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
            if let length = unsafe frame.cutFrom {
                return try unsafe channel(of: frame).receiveHeader(
                    bodySize: bodySize, properties: MessageProperties(deliveryMode: nil),
                    headersFault: "the message's header has \(length) bytes, and at most "
                        + "\(ReceiveBuffer.longestHeader) are read", storage: storage)
            }
            let list = unsafe UnsafeRawBufferPointer(rebasing: frame.payload[12...])
            guard let decoded = unsafe PropertiesCodec.decode(list, pool: pool, names: names) else {
                throw AMQPError(.protocolViolation, "a message with malformed properties")
            }
            try unsafe channel(of: frame).receiveHeader(
                bodySize: bodySize, properties: decoded.properties, headersFault: decoded.headersFault,
                storage: storage)
        case 3: try unsafe channel(of: frame).receiveBody(frame.payload)
        default: break  // A heartbeat; that something came is all it says.
        }
    }

    private func channel(of frame: ReceiveBuffer.Frame) throws(AMQPError) -> Channel {
        let number = unsafe Int(frame.channel)
        guard number < channels.count, let channel = channels[number] else {
            throw unsafe AMQPError(.protocolViolation, "a frame on the channel \(frame.channel), which is not open")
        }
        return channel
    }

    /// Methods of the connection itself, on channel 0.
    private func handle(_ method: IncomingMethod) throws(AMQPError) {
        switch method {
        case .connectionClose(let reason):
            try send(.connectionCloseOk, on: control)
            try write(now: world.now)
            throw AMQPError(closing: reason, of: "the connection to \(endpoint)")
        case .connectionBlocked(let reason):
            if blocked == nil { blocked = Blockade(reason: reason, since: world.now) }
        case .connectionUnblocked: blocked = nil
        case .connectionStart, .connectionTune, .connectionOpenOk, .connectionCloseOk: try control.receive(method)
        default: throw AMQPError(.protocolViolation, "a method of a channel on channel 0")
        }
    }

    /// Methods of a channel.
    private func handle(_ method: IncomingMethod, on channel: Channel) throws(AMQPError) {
        switch method {
        case .channelClose(let reason):
            // What was being written on it, and what waits behind that, is nothing to the broker any more.
            channel.outgoing = nil
            try send(.channelCloseOk, on: channel)
            let error = AMQPError(closing: reason, of: "a channel")
            // When both sides close at once each answers the other, and the number is free only then.
            if channel.isClosing { channel.failAllButLast(error) } else { forget(channel, error) }
        case .channelCloseOk where !channel.isOpen: free(channel)
        // Behind our channel.close the answer would find no channel.
        case .channelFlow where channel.isClosing: break
        case .channelFlow(let active): try send(.channelFlowOk(active: active), on: channel)
        case .basicCancel(let consumerTag, let noWait):
            // Before what the user does about it, which may be to consume again. Older brokers want no answer, say so, and
            // take none.
            if !noWait, !channel.isClosing, channel.isOpen {
                try send(.basicCancelOk(consumerTag: consumerTag), on: channel)
            }
            try channel.receive(method)
        default: try channel.receive(method)
        }
    }
}

extension AMQPError {
    /// What a channel.close or connection.close of the broker means (AMQP 0-9-1 section 1.5).
    init(closing reason: IncomingMethod.CloseReason, of what: String) {
        let (code, remedy): (Code, String?) =
            switch reason.replyCode {
            case 403 where reason.replyText.contains("exclusive use"):
                (.resourceLocked, "another consumer has the queue to itself: stop that one, or wait for its end")
            case 403: (.accessRefused, "give the user the permission, or use another user")
            case 404 where reason.replyText.contains("no queue '") || reason.replyText.contains("no exchange '"):
                (.notFound, "declare it first, or correct the name")
            case 404: (.notFound, "look whether the node that holds it is up")
            case 405: (.resourceLocked, "close the connection that holds it exclusively")
            case 406 where reason.replyText.contains("inequivalent arg"):
                (.preconditionFailed, "make the declaration equal to what the broker holds, or delete that first")
            case 406: (.preconditionFailed, nil)
            case 530 where reason.replyText.contains("limit"):
                (
                    .connectionLimitReached,
                    "close connections that nobody needs, or raise the limit of the user, the virtual host or the node"
                )
            default: (.closedByBroker, nil)
            }
        self.init(
            code, "the broker closed \(what): \(reason.replyCode) \(reason.replyText)", replyCode: reason.replyCode,
            replyText: reason.replyText, remedy: remedy)
    }
}
