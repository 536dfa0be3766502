import Glibc

@testable import ActorBusTesting

/// How bytes get to a broker and back.
protocol Wire: AnyObject {
    func send(_ bytes: [UInt8]) throws
    /// What has come, after waiting for it at most so long; nothing when nothing came.
    func receive(milliseconds: Int32) throws -> [UInt8]
}

/// A TCP connection to a real broker.
final class SocketWire: Wire {
    struct Gone: Error {}

    private let descriptor: CInt

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = descriptor
        let status = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Gone() }
        var one: CInt = 1
        _ = unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Gone() }
            rest = rest.dropFirst(count)
        }
    }

    func receive(milliseconds: Int32) throws -> [UInt8] {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&ready, 1, milliseconds) > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { throw Gone() }
        return Array(bytes[..<count])
    }
}

/// A connection to a simulated broker in this process, without a socket.
final class SimulatedWire: Wire {
    private let session: ServerSession

    init(_ broker: BrokerModel, node: Int = 0) { session = ServerSession(broker: broker, clock: 0, node: node) }

    deinit { session.clientIsGone() }

    func send(_ bytes: [UInt8]) { session.receive(bytes) }
    func receive(milliseconds: Int32) throws -> [UInt8] {
        // What was frozen is read as soon as the node goes on.
        session.read()
        let bytes = session.takeOutput()
        if bytes.isEmpty, session.isFinished { throw SocketWire.Gone() }
        return bytes
    }
}

/// A client that says what it is told to, and hands out what it is answered.
final class WireClient {
    struct Silence: Error { var waitingFor: String }

    private let wire: any Wire
    private var reader = AnswerReader()
    /// Publishes whose confirm is out, by channel, since one confirm may be for many.
    private var unconfirmed: [UInt16: Set<UInt64>] = [:]
    private(set) var isClosed = false
    /// The version that the broker says it has.
    private(set) var version = ""

    /// Logs in, with all capabilities that change what a broker says. The password is the user's name.
    init(_ wire: any Wire, user: String = "guest") throws {
        self.wire = wire
        try wire.send(Array("AMQP".utf8) + [0, 0, 9, 1])
        let properties = try wait(for: "start ").split(separator: " ")
        let ofVersion = properties.first { $0.hasPrefix("version=S'") } ?? ""
        version = String(ofVersion.dropFirst(10).prefix { $0 != "'" })
        let capabilities: [(String, WireWriter.Value)] = [
            ("consumer_cancel_notify", .bool(true)), ("connection.blocked", .bool(true)),
            ("authentication_failure_close", .bool(true)),
        ]
        try send(
            10, 11, on: 0,
            WireWriter().table([("capabilities", .table(capabilities))]).short("PLAIN")
                .long([0] + Array(user.utf8) + [0] + Array(user.utf8)).short("en_US"))
        try wait(for: "method 10.30")
        try send(10, 31, on: 0, WireWriter().u16(2047).u32(131_072).u16(0))
        try send(10, 40, on: 0, WireWriter().short("/").short("").u8(0))
        try wait(for: "method 10.41")
    }

    func send(
        _ classID: UInt16, _ methodID: UInt16, on channel: UInt16, _ arguments: WireWriter = WireWriter()
    ) throws {
        try wire.send(WireWriter.method(classID, methodID, on: channel, arguments))
    }

    func sendContent(_ properties: [UInt8], _ body: [UInt8], on channel: UInt16) throws {
        let header = WireWriter().u16(60).u16(0).u64(UInt64(body.count)).adding(properties).bytes
        try wire.send(
            WireWriter.frame(2, channel, header) + (body.isEmpty ? [] : WireWriter.frame(3, channel, body)))
    }

    func expectConfirm(_ tag: UInt64, on channel: UInt16) { unconfirmed[channel, default: []].insert(tag) }

    /// What has been answered by now, after waiting for more at most so long.
    func answers(milliseconds: Int32) -> [Answer] {
        var answers: [Answer] = []
        do { reader.append(try wire.receive(milliseconds: milliseconds)) } catch { isClosed = true }
        while let answer = reader.next() { answers += take(answer) }
        return answers
    }

    @discardableResult
    private func wait(for text: String) throws -> String {
        for _ in 0..<1000 {
            if let answer = reader.next() {
                guard answer.text.hasPrefix(text) else { throw Silence(waitingFor: "\(text), heard \(answer.text)") }
                return answer.text
            }
            reader.append(try wire.receive(milliseconds: 10))
        }
        throw Silence(waitingFor: text)
    }

    /// Answers what a client has to answer, and takes a confirm for many apart.
    private func take(_ answer: Answer) -> [Answer] {
        switch answer.kind {
        case .channelClosed:
            unconfirmed[answer.channel] = nil
            try? send(20, 41, on: answer.channel)
        case .connectionClosed:
            try? send(10, 51, on: 0)
            isClosed = true
        case .confirm(let tag, let multiple, let isRefusal):
            let tags = unconfirmed[answer.channel, default: []].filter { $0 == tag || multiple && $0 <= tag }.sorted()
            unconfirmed[answer.channel, default: []].subtract(tags)
            return (tags.isEmpty ? [tag] : tags).map {
                Answer(channel: answer.channel, kind: .other, text: "\(isRefusal ? "nack" : "ack") #\($0)")
            }
        default: break
        }
        return [answer]
    }
}
