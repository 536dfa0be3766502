/// One thing that a client does, on one channel.
struct Step: CustomStringConvertible {
    var channel: UInt16
    var operation: Operation

    var description: String { "\(channel): \(operation)" }
}

enum Operation {
    typealias Arguments = [(String, WireWriter.Value)]

    case openChannel
    case closeChannel
    case declareExchange(String, type: String, flags: Flags = [.durable], Arguments = [])
    case deleteExchange(String, ifUnused: Bool)
    case bindExchange(String, to: String, key: String)
    case declareQueue(String, flags: Flags = [.durable], Arguments = [])
    case inspectQueue(String)
    case bindQueue(String, to: String, key: String, Arguments = [])
    case unbindQueue(String, from: String, key: String, Arguments = [])
    case purge(String)
    case deleteQueue(String, ifUnused: Bool = false, ifEmpty: Bool = false)
    case confirms
    case prefetch(UInt16, size: UInt32 = 0)
    case consume(String, tag: String, noAck: Bool, exclusive: Bool, Arguments)
    case cancel(String)
    case publish(String, key: String, mandatory: Bool, Properties, body: String)
    case get(String, noAck: Bool)
    case ack(UInt64, multiple: Bool)
    case nack(UInt64, multiple: Bool, requeue: Bool)
    case reject(UInt64, requeue: Bool)
    case recover
    case flow
    /// Time passes, in milliseconds.
    case wait(Int)

    struct Flags: OptionSet, CustomStringConvertible {
        var rawValue: UInt8
        static let passive = Flags(rawValue: 1)
        static let durable = Flags(rawValue: 2)
        static let exclusive = Flags(rawValue: 4)
        static let autoDelete = Flags(rawValue: 8)
        static let `internal` = Flags(rawValue: 16)

        var description: String {
            let names = ["passive", "durable", "exclusive", "autoDelete", "internal"]
            return names.enumerated().filter { rawValue & 1 << UInt8($0.offset) != 0 }.map(\.element)
                .joined(separator: " ")
        }
    }

    struct Properties {
        var headers: Arguments = []
        var priority: UInt8?
        var expiration: String?
        var userID: String?
        var isPersistent = true

        var encoded: [UInt8] {
            var flags: UInt16 = 1 << 12 | 1 << 7
            var rest = WireWriter()
            if !headers.isEmpty {
                flags |= 1 << 13
                rest = rest.table(headers)
            }
            rest = rest.u8(isPersistent ? 2 : 1)
            if let priority {
                flags |= 1 << 11
                rest = rest.u8(priority)
            }
            if let expiration {
                flags |= 1 << 8
                rest = rest.short(expiration)
            }
            rest = rest.short("an id")
            if let userID {
                flags |= 1 << 4
                rest = rest.short(userID)
            }
            return WireWriter().u16(flags).adding(rest.bytes).bytes
        }
    }

    func send(by client: WireClient, on channel: UInt16) throws {
        func method(_ classID: UInt16, _ methodID: UInt16, _ arguments: WireWriter = WireWriter()) throws {
            try client.send(classID, methodID, on: channel, arguments)
        }
        let ticket = WireWriter().u16(0)
        switch self {
        case .openChannel: try method(20, 10, WireWriter().short(""))
        case .closeChannel: try method(20, 40, WireWriter().u16(200).short("").u16(0).u16(0))
        case .declareExchange(let name, let type, let flags, let arguments):
            let bits = WireWriter().bits(
                flags.contains(.passive), flags.contains(.durable), flags.contains(.autoDelete),
                flags.contains(.internal), false)
            try method(40, 10, ticket.short(name).short(type).adding(bits.bytes).table(arguments))
        case .deleteExchange(let name, let ifUnused):
            try method(40, 20, ticket.short(name).bits(ifUnused, false))
        case .bindExchange(let name, let source, let key):
            try method(40, 30, ticket.short(name).short(source).short(key).bits(false).table([]))
        case .declareQueue(let name, let flags, let arguments):
            let bits = WireWriter().bits(
                flags.contains(.passive), flags.contains(.durable), flags.contains(.exclusive),
                flags.contains(.autoDelete), false)
            try method(50, 10, ticket.short(name).adding(bits.bytes).table(arguments))
        case .inspectQueue(let name):
            try Operation.declareQueue(name, flags: [.passive]).send(by: client, on: channel)
        case .bindQueue(let name, let exchange, let key, let arguments):
            try method(50, 20, ticket.short(name).short(exchange).short(key).bits(false).table(arguments))
        case .unbindQueue(let name, let exchange, let key, let arguments):
            try method(50, 50, ticket.short(name).short(exchange).short(key).table(arguments))
        case .purge(let name): try method(50, 30, ticket.short(name).bits(false))
        case .deleteQueue(let name, let ifUnused, let ifEmpty):
            try method(50, 40, ticket.short(name).bits(ifUnused, ifEmpty, false))
        case .confirms: try method(85, 10, WireWriter().bits(false))
        case .prefetch(let count, let size): try method(60, 10, WireWriter().u32(size).u16(count).bits(false))
        case .consume(let queue, let tag, let noAck, let exclusive, let arguments):
            try method(60, 20, ticket.short(queue).short(tag).bits(false, noAck, exclusive, false).table(arguments))
        case .cancel(let tag): try method(60, 30, WireWriter().short(tag).bits(false))
        case .publish(let exchange, let key, let mandatory, let properties, let body):
            try method(60, 40, ticket.short(exchange).short(key).bits(mandatory, false))
            try client.sendContent(properties.encoded, Array(body.utf8), on: channel)
        case .get(let queue, let noAck): try method(60, 70, ticket.short(queue).bits(noAck))
        case .ack(let tag, let multiple): try method(60, 80, WireWriter().u64(tag).bits(multiple))
        case .nack(let tag, let multiple, let requeue):
            try method(60, 120, WireWriter().u64(tag).bits(multiple, requeue))
        case .reject(let tag, let requeue): try method(60, 90, WireWriter().u64(tag).bits(requeue))
        case .recover: try method(60, 110, WireWriter().bits(true))
        case .flow: try method(20, 20, WireWriter().bits(true))
        case .wait: break
        }
    }
}
