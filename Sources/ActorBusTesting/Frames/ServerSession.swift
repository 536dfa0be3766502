internal import ActorBus

/// The server's side of one connection: bytes in, bytes out. Knows nothing of sockets, threads or clocks.
///
/// Malformed input is answered as RabbitMQ answers it.
final class ServerSession {
    private enum State {
        case awaitingHeader
        case awaitingStartOk
        case awaitingTuneOk(BrokerUser, FieldTable)
        case awaitingOpen(BrokerUser, FieldTable, channelMax: UInt16)
        case open(ConnectionModel)
        /// The broker has closed; the client is to answer.
        case closing
        case finished
    }

    /// What a channel waits for after basic.publish.
    private struct PartialMessage {
        var method: ClientMethod
        var number: UInt32
        var header: ServerCodec.ContentHeader?
        var body: [UInt8] = []
    }

    private let broker: BrokerModel
    private let codec = ServerCodec()
    private var state = State.awaitingHeader {
        didSet { stateBegan = clock }
    }
    private let began: Int64
    private var stateBegan: Int64
    private var reader = FrameReader()
    private var output: [UInt8] = []
    private var partial: [UInt16: PartialMessage] = [:]
    private var frameMax = ServerSession.offeredFrameMax
    /// Milliseconds between heartbeats; zero for none.
    private var heartbeat: Int64 = 0
    private var clock: Int64
    private var lastSent: Int64
    private var lastReceived: Int64

    /// The node that it is connected to, and how often that had started then.
    private let node: Int
    private let starts: UInt64

    private static let offeredFrameMax = 131_072
    private static let offeredHeartbeat: UInt16 = 60

    /// `clock` is in milliseconds from any beginning; only heartbeats go by it.
    init(broker: BrokerModel, clock: Int64, node: Int = 0) {
        self.broker = broker
        self.node = node
        starts = broker.nodes[node].starts
        began = clock
        stateBegan = clock
        self.clock = clock
        lastSent = clock
        lastReceived = clock
    }

    /// Whether nothing more is read; the transport is to be closed once the output is written.
    var isFinished: Bool {
        if case .finished = state { true } else { isCut }
    }

    /// Whether the node was killed: what it had not sent is never sent.
    private var isCut: Bool { !broker.nodes[node].isUp || broker.nodes[node].starts != starts }
    /// Whether the node is frozen: it reads nothing and says nothing.
    private var isFrozen: Bool { broker.nodes[node].isFrozen }

    var hasOutput: Bool { !output.isEmpty && !isCut && !isFrozen }

    func takeOutput() -> [UInt8] {
        if isCut { output = [] }
        if isFrozen { return [] }
        defer { output = [] }
        return output
    }

    // MARK: Input

    func receive(_ bytes: some Sequence<UInt8>) {
        lastReceived = clock
        reader.append(bytes)
        read()
    }

    /// The client's side is gone, with whatever it had.
    func clientIsGone() {
        broker.touch()
        if case .open(let connection) = state { connection.end() }
        state = .finished
    }

    /// Goes on with what is read already, where an alarm had stopped it.
    func read() {
        guard !reader.isEmpty else { return }
        while !isCut, !isFrozen {
            switch state {
            case .finished: return
            case .awaitingHeader:
                guard let header = reader.takeProtocolHeader() else { return }
                start(header)
            case .open(let connection) where connection.isBlocked: return
            default:
                do {
                    // RabbitMQ tolerates a frame that is one byte too long.
                    guard let frame = try reader.next(limit: frameMax - 8 + 1) else { return }
                    handle(frame)
                } catch {
                    refuse(error)
                    return
                }
            }
        }
    }

    // MARK: Time

    /// When a heartbeat is due, or the client has been silent for too long.
    var nextDeadline: Int64? {
        guard !isFinished, !isFrozen else { return nil }
        guard heartbeat > 0 else { return end }
        return .earlier(end, min(lastSent + heartbeat / 2, lastReceived + 2 * heartbeat))
    }

    /// How long a client may take to log in, and to answer that the connection is closed (RabbitMQ's
    /// `handshake_timeout`, and the time that it leaves for close-ok), in milliseconds.
    private static let handshakeTimeout: Int64 = 10_000
    private static let closingTimeout: Int64 = 30_000

    /// When the broker hangs up without a word.
    private var end: Int64? {
        switch state {
        case .open, .finished: nil
        case .closing: stateBegan + Self.closingTimeout
        case .awaitingHeader, .awaitingStartOk, .awaitingTuneOk, .awaitingOpen: began + Self.handshakeTimeout
        }
    }

    func passTime(to time: Int64) {
        clock = max(clock, time)
        // A node that was frozen does not hold the time that it has missed against its clients.
        if isFrozen { lastReceived = clock }
        guard !isFrozen, !isFinished else { return }
        if let end, end <= clock { return clientIsGone() }
        guard heartbeat > 0 else { return }
        if lastReceived + 2 * heartbeat <= clock { return clientIsGone() }
        if lastSent + heartbeat / 2 <= clock {
            codec.appendHeartbeat(to: &output)
            lastSent = clock
        }
    }

    // MARK: Handshake

    private func start(_ header: [UInt8]) {
        broker.touch()
        guard header == ServerCodec.protocolHeader else {
            output += ServerCodec.protocolHeader
            state = .finished
            return
        }
        state = .awaitingStartOk
        send(.connectionStart(mechanisms: "PLAIN", serverProperties: serverProperties), on: 0)
    }

    private var serverProperties: FieldTable {
        let capabilities: FieldTable = [
            "publisher_confirms": true, "exchange_exchange_bindings": true, "basic.nack": true,
            "consumer_cancel_notify": true, "connection.blocked": true, "consumer_priorities": true,
            "authentication_failure_close": true, "per_consumer_qos": true, "direct_reply_to": false,
        ]
        return [
            "capabilities": .table(capabilities), "product": "RabbitMQ", "version": .string(broker.version.rawValue),
            "platform": "ActorBusTesting", "cluster_name": "simulated",
        ]
    }

    private func logIn(_ clientProperties: FieldTable, mechanism: String, response: [UInt8]) {
        guard case .table(let capabilities) = clientProperties["capabilities"] ?? .table([:]) else {
            return state = .finished
        }
        guard let (name, password) = Self.credentials(mechanism, response) else {
            return fail(
                ReplyError(.commandInvalid, "unknown authentication mechanism '\(mechanism)'"), method: 0x000A_000B)
        }
        guard let user = broker.users[name], user.password == password else {
            guard capabilities["authentication_failure_close"] == .bool(true) else { return state = .finished }
            let text =
                "Login was refused using authentication mechanism \(mechanism). For details see the broker logfile."
            return fail(.accessRefused(text), method: 0)
        }
        state = .awaitingTuneOk(user, capabilities)
        send(
            .connectionTune(
                channelMax: broker.version.channelMax, frameMax: UInt32(Self.offeredFrameMax),
                heartbeat: Self.offeredHeartbeat),
            on: 0)
    }

    private static func credentials(_ mechanism: String, _ response: [UInt8]) -> (String, String)? {
        guard mechanism == "PLAIN" else { return nil }
        let parts = response.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return ("", "") }
        return (String(decoding: parts[1], as: UTF8.self), String(decoding: parts[2], as: UTF8.self))
    }

    private func tune(
        _ user: BrokerUser, _ capabilities: FieldTable, channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16
    ) {
        let largest = Int(frameMax)
        func refused(_ name: String, _ value: Int, _ relation: String, _ limit: Int) {
            fail(
                ReplyError(
                    .notAllowed,
                    "negotiated \(name) = \(value)\(name == "channel_max" && value == 0 ? " (no limit)" : "") "
                        + "is \(relation) allowed value (\(limit))"),
                method: 0x000A_001E)
        }
        if largest != 0, largest < 4096 { return refused("frame_max", largest, "lower than the minimum", 4096) }
        if largest == 0 || largest > Self.offeredFrameMax {
            return refused("frame_max", largest, "higher than the maximum", Self.offeredFrameMax)
        }
        let most = broker.version.channelMax
        if channelMax == 0 || channelMax > most {
            return refused("channel_max", Int(channelMax), "higher than the maximum", Int(most))
        }
        self.frameMax = largest
        self.heartbeat = Int64(heartbeat) * 1000
        state = .awaitingOpen(user, capabilities, channelMax: channelMax)
    }

    private func open(_ user: BrokerUser, _ capabilities: FieldTable, channelMax: UInt16, host: String) {
        do {
            let connection = try broker.connect(
                user: user, host: host, channelMax: channelMax, capabilities: capabilities, node: node
            ) { [unowned self] method, channel, content in
                send(method, on: channel, content: content)
            }
            state = .open(connection)
            send(.connectionOpenOk, on: 0)
        } catch {
            fail(error, method: 0x000A_0028)
        }
    }

    // MARK: Frames

    private func handle(_ frame: FrameReader.Frame) {
        broker.touch()
        switch frame.type {
        case 8:
            if frame.channel != 0 { unexpected(frame) }
        case 1, 2, 3:
            if frame.channel == 0 { handleOnChannel0(frame) } else { handleOnChannel(frame) }
        default:
            if case .closing = state { return }
            fail(ReplyError(.frameError, "\(Self.described(frame)): unknown_frame"), method: 0)
        }
    }

    private func handleOnChannel0(_ frame: FrameReader.Frame) {
        guard frame.type == 1, let (number, method) = codec.decodeMethod(frame.payload) else {
            return unexpected(frame)
        }
        switch (state, method) {
        case (.closing, .connectionCloseOk?): state = .finished
        case (.closing, .connectionClose?):
            send(.connectionCloseOk, on: 0)
        case (.closing, _): return
        case (.awaitingStartOk, .connectionStartOk(let properties, let mechanism, let response)?):
            logIn(properties, mechanism: mechanism, response: response)
        case (
            .awaitingTuneOk(let user, let capabilities), .connectionTuneOk(let channelMax, let frameMax, let heartbeat)?
        ):
            tune(user, capabilities, channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat)
        case (.awaitingOpen(let user, let capabilities, let channelMax), .connectionOpen(let host)?):
            open(user, capabilities, channelMax: channelMax, host: host)
        case (.open(let connection), .connectionClose?):
            connection.end()
            send(.connectionCloseOk, on: 0)
            state = .finished
        case (_, nil): undecodable(number, frame)
        default:
            fail(ReplyError(.channelError, "unexpected method in connection state running"), method: number)
        }
    }

    private func handleOnChannel(_ frame: FrameReader.Frame) {
        guard case .open(let connection) = state else {
            if case .closing = state { return }
            return unexpected(frame)
        }
        if var message = partial[frame.channel] {
            partial[frame.channel] = nil
            if proceed(&message, with: frame, connection) { partial[frame.channel] = message }
            return
        }
        guard frame.type == 1 else {
            return fail(ReplyError(.unexpectedFrame, "expected method frame, got non method frame instead"), method: 0)
        }
        guard let (number, method) = codec.decodeMethod(frame.payload), let method else {
            return undecodable(codec.decodeMethod(frame.payload)?.number, frame)
        }
        if case .basicPublish = method {
            partial[frame.channel] = PartialMessage(method: method, number: number)
        } else {
            connection.handle(method, number: number, on: frame.channel, content: nil)
            noticeClose(connection)
        }
    }

    /// Takes a header or a body frame of a message; false when the message is complete, or the connection at its end.
    private func proceed(
        _ message: inout PartialMessage, with frame: FrameReader.Frame, _ connection: ConnectionModel
    ) -> Bool {
        if message.header == nil {
            guard frame.type == 2 else {
                fail(
                    ReplyError(
                        .unexpectedFrame, "expected content header for class 60, got non content header frame instead"),
                    method: message.number)
                return false
            }
            guard let header = codec.decodeContentHeader(frame.payload) else {
                fail(
                    .notSimulated("a content header that is malformed, or deeper than 32 tables,"),
                    method: message.number)
                return false
            }
            guard header.classID == 60 else {
                fail(
                    ReplyError(
                        .unexpectedFrame,
                        "expected content header for class 60, got one for class \(header.classID) instead"),
                    method: message.number)
                return false
            }
            message.header = header
        } else {
            guard frame.type == 3 else {
                fail(
                    ReplyError(.unexpectedFrame, "expected content body, got non content body frame instead"),
                    method: message.number)
                return false
            }
            message.body += frame.payload
        }
        defer { connection.hasPublished() }
        guard let header = message.header, UInt64(message.body.count) >= header.bodySize else { return true }
        let content = BrokerMessage(
            number: 0, exchange: "", routingKeys: [], properties: header.properties,
            encodedProperties: header.encodedProperties, body: message.body)
        connection.handle(message.method, number: message.number, on: frame.channel, content: content)
        noticeClose(connection)
        return false
    }

    // MARK: Errors

    private func refuse(_ fault: FrameReader.Fault) {
        if case .closing = state { return state = .finished }
        switch fault {
        case .tooLarge(let type, _, let size):
            let limit = frameMax - 8
            fail(
                ReplyError(.frameError, "type \(type), all octets = <<>>: {frame_too_large,\(size),\(limit)}"),
                method: 0)
        case .noEnd(let frame, let marker):
            fail(ReplyError(.frameError, "\(Self.described(frame)): {invalid_frame_end_marker,\(marker)}"), method: 0)
        }
        // What follows cannot be read: RabbitMQ waits a while for the client to read the reason, and hangs up.
        state = .finished
    }

    private func unexpected(_ frame: FrameReader.Frame) {
        if case .closing = state { return }
        fail(ReplyError(.unexpectedFrame, Self.described(frame)), method: 0)
    }

    private func undecodable(_ number: UInt32?, _ frame: FrameReader.Frame) {
        let name = number.map { " (\($0 >> 16).\($0 & 0xFFFF))" } ?? ""
        fail(.notSimulated("a method that is malformed or unknown\(name)"), method: number ?? 0)
    }

    /// Closes the connection and says why, as far as the connection has got.
    private func fail(_ error: ReplyError, method: UInt32) {
        if case .open(let connection) = state {
            connection.close(for: error, method: method)
            noticeClose(connection)
        } else {
            send(
                .connectionClose(
                    replyCode: error.code.rawValue, replyText: error.text, classID: UInt16(method >> 16),
                    methodID: UInt16(method & 0xFFFF)),
                on: 0)
            state = .closing
        }
    }

    private func noticeClose(_ connection: ConnectionModel) {
        guard connection.closeError != nil, case .open = state else { return }
        partial = [:]
        state = .closing
    }

    /// A frame as RabbitMQ's texts show it.
    private static func described(_ frame: FrameReader.Frame) -> String {
        let isShort = frame.payload.count <= 16
        let snippet = frame.payload.prefix(16)
        let isText = !snippet.isEmpty && snippet.allSatisfy { (32..<127).contains($0) }
        let inside =
            isText
            ? "\"\(String(decoding: snippet, as: UTF8.self))\"" : snippet.map { "\($0)" }.joined(separator: ",")
        return "type \(frame.type), \(isShort ? "all" : "first 16") octets = <<\(inside)>>"
    }

    // MARK: Output

    /// Gives a property list that has no header table an empty one.
    private static func addEmptyHeaders(to properties: inout [UInt8]) {
        guard properties.count >= 2, properties[0] & 0x20 == 0 else { return }
        var position = 2
        // Content type and content encoding stand before it.
        for flag: UInt8 in [0x80, 0x40] where properties[0] & flag != 0 {
            guard position < properties.count else { return }
            position += 1 + Int(properties[position])
        }
        guard position <= properties.count else { return }
        properties[0] |= 0x20
        properties.insert(contentsOf: [0, 0, 0, 0], at: position)
    }

    private func send(_ method: ServerMethod, on channel: UInt16, content: Content? = nil) {
        lastSent = clock
        do {
            try codec.append(method, channel: channel, frameMax: frameMax, to: &output)
            guard let content else { return }
            var properties =
                if let encoded = content.encodedProperties { encoded } else {
                    try codec.encodeProperties(content.properties)
                }
            if content.keepsEmptyHeaders { Self.addEmptyHeaders(to: &properties) }
            codec.appendContent(
                encodedProperties: properties, body: content.body, channel: channel, frameMax: frameMax, to: &output)
        } catch {
            // Half a message would be a protocol error of ours: better no connection.
            clientIsGone()
        }
    }
}
