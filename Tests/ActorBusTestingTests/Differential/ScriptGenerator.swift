@testable import ActorBusTesting

/// Draws what a client does next, from a seed and what it has been answered so far.
///
/// Each queue has a channel of its own for its consumers, and dead letters come to one queue from one other only: so
/// nothing in an answer depends on which of two queues is faster.
struct ScriptGenerator {
    enum Profile: CaseIterable {
        case classic, expiry, priority, quorum
        /// Quorum queues whose dead letters wait for a confirm, and whose messages expire.
        case confirmedLetters

        var isQuorum: Bool { self == .quorum || self == .confirmedLetters }
        /// Whether time passes in its scripts.
        var isTimed: Bool { self == .expiry || self == .confirmedLetters }
    }

    let profile: Profile
    let version: RabbitMQVersion
    var random: SeededGenerator
    /// What names begin with, so that no two scripts meet.
    let prefix: String
    private var bodies = 0
    private var openChannels: Set<UInt16> = []
    private var isConfirming = false
    /// Deliveries to be settled, by channel.
    private var unsettled: [UInt16: [UInt64]] = [:]
    private var pending: [Step] = []
    private var sinceWait = 0

    static let publishing: UInt16 = 1
    static let topology: UInt16 = 2
    static let firstConsuming: UInt16 = 3

    init(profile: Profile, version: RabbitMQVersion, seed: UInt64, prefix: String) {
        self.profile = profile
        self.version = version
        self.prefix = prefix
        random = SeededGenerator(seed: seed)
        pending = setUp()
    }

    var queues: [String] { (0...3).map { "\(prefix)q\($0)" } }
    var exchanges: [String] { (0...3).map { "\(prefix)e\($0)" } }
    private let keys = ["a", "b", "a.b", "a.c.b", ""]
    private let patterns = ["a", "b", "a.*", "a.#", "#", "*.b", "a.*.b", ""]

    // MARK: Steps

    mutating func next() -> Step {
        var step = pending.isEmpty ? draw() : pending.removeFirst()
        if !openChannels.contains(step.channel) {
            openChannels.insert(step.channel)
            pending.insert(step, at: 0)
            step = Step(channel: step.channel, operation: .openChannel)
        }
        return step
    }

    /// Takes in what was answered.
    mutating func notice(_ step: Step, _ answers: [Answer]) {
        if case .closeChannel = step.operation { forget(step.channel) }
        for answer in answers {
            switch answer.kind {
            case .delivery(let tag, _): unsettled[answer.channel, default: []].append(tag)
            case .channelClosed: forget(answer.channel)
            case .connectionClosed:
                for channel in openChannels { forget(channel) }
            default: break
            }
        }
        switch step.operation {
        case .ack(let tag, let multiple), .nack(let tag, let multiple, _): settle(tag, multiple, step.channel)
        case .reject(let tag, _): settle(tag, false, step.channel)
        case .recover: unsettled[step.channel] = nil
        case .confirms: isConfirming = true
        default: break
        }
    }

    /// Whether a publish on this channel will be confirmed.
    func isConfirmed(_ step: Step) -> Bool {
        guard case .publish = step.operation else { return false }
        return step.channel == Self.publishing && isConfirming
    }

    private mutating func forget(_ channel: UInt16) {
        openChannels.remove(channel)
        unsettled[channel] = nil
        if channel == Self.publishing { isConfirming = false }
    }

    private mutating func settle(_ tag: UInt64, _ multiple: Bool, _ channel: UInt16) {
        unsettled[channel]?.removeAll { $0 == tag || multiple && ($0 < tag || tag == 0) }
    }

    // MARK: Set-up

    private mutating func setUp() -> [Step] {
        let types = ["direct", "fanout", "topic", "headers"]
        var steps = [Step(channel: Self.publishing, operation: .confirms)]
        for (name, type) in zip(exchanges, types) {
            var arguments: Operation.Arguments = []
            if type == "direct", random.chance(40) { arguments = [("alternate-exchange", .text(exchanges[1]))] }
            steps.append(topology(.declareExchange(name, type: type, arguments)))
        }
        for index in queues.indices { steps.append(topology(queue(index))) }
        for _ in 0..<5 { steps.append(topology(binding())) }
        return steps
    }

    private func topology(_ operation: Operation) -> Step { Step(channel: Self.topology, operation: operation) }

    private mutating func queue(_ index: Int) -> Operation {
        var arguments: Operation.Arguments = profile.isQuorum ? [("x-queue-type", .text("quorum"))] : []
        var flags: Operation.Flags = [.durable]
        let hasLetters = index == 0 || index == 3 && random.chance(30)
        if hasLetters {
            arguments.append(("x-dead-letter-exchange", .text("")))
            arguments.append(("x-dead-letter-routing-key", .text(queues[index == 0 ? 3 : 0])))
        }
        if random.chance(40) { arguments.append(("x-max-length", .int(Int32(random.below(6))))) }
        if random.chance(15), !profile.isQuorum || !version.quorumQueuesCountPropertyBytes {
            arguments.append(("x-max-length-bytes", .long(Int64(random.below(40)))))
        }
        if random.chance(20) { arguments.append(("x-single-active-consumer", .bool(true))) }
        switch profile {
        case .classic, .priority:
            if random.chance(30) {
                let overflow = random.pick(["drop-head", "reject-publish", "reject-publish-dlx"])
                arguments.append(("x-overflow", .text(overflow)))
            }
            if profile == .priority { arguments.append(("x-max-priority", .int(random.pick([0, 1, 3, 10])))) }
            if index == 2 {
                if random.chance(30) { flags.insert(.autoDelete) }
                if random.chance(30) { flags.insert(.exclusive) }
            }
        case .expiry:
            if random.chance(70) { arguments.append(("x-message-ttl", .int(random.pick([0, 300, 600])))) }
        case .quorum:
            if random.chance(50) { arguments.append(("x-delivery-limit", .int(Int32(1 + random.below(3))))) }
            if random.chance(50) {
                let overflow = random.pick(["drop-head", "reject-publish", "reject-publish", "reject-publish-dlx"])
                arguments.append(("x-overflow", .text(overflow)))
            }
            if hasLetters, random.chance(50) { arguments.append(("x-dead-letter-strategy", .text("at-least-once"))) }
        case .confirmedLetters:
            if random.chance(70) { arguments.append(("x-message-ttl", .int(random.pick([300, 600])))) }
            if random.chance(30) { arguments.append(("x-delivery-limit", .int(Int32(1 + random.below(2))))) }
            if hasLetters || random.chance(50) { arguments.append(("x-overflow", .text("reject-publish"))) }
            if hasLetters { arguments.append(("x-dead-letter-strategy", .text("at-least-once"))) }
        }
        return .declareQueue(queues[index], flags: flags, arguments)
    }

    /// The queues for dead letters are bound nowhere.
    private mutating func binding() -> Operation {
        let index = random.below(4)
        if random.chance(15) {
            return .bindExchange(exchanges[2], to: exchanges[random.pick([0, 1])], key: random.pick(keys))
        }
        let queue = queues[random.below(3)]
        let arguments: Operation.Arguments =
            index == 3
            ? [("x-match", .text(random.pick(["all", "any"]))), ("k", .text("v")), ("n", .long(1))] : []
        return .bindQueue(queue, to: exchanges[index], key: random.pick(index == 2 ? patterns : keys), arguments)
    }

    // MARK: Drawing

    private mutating func draw() -> Step {
        sinceWait += 1
        if profile.isTimed, sinceWait > 7 {
            sinceWait = 0
            return topology(.wait(random.pick([400, 700])))
        }
        let index = random.below(queues.count)
        let queue = queues[index]
        let channel = Self.firstConsuming + UInt16(index)
        func consuming(_ operation: Operation) -> Step { Step(channel: channel, operation: operation) }
        switch random.below(100) {
        case ..<35: return publish()
        case ..<45: return consuming(consume(queue))
        case ..<49: return consuming(.cancel("c\(random.below(3))"))
        case ..<57: return consuming(.get(queue, noAck: random.chance(20)))
        case ..<82: return settlement(channel) ?? publish()
        case ..<84: return consuming(.prefetch(UInt16(random.below(4)), size: random.chance(5) ? 1 : 0))
        case ..<86: return consuming(.recover)
        case ..<88: return topology(binding())
        case ..<90: return topology(.unbindQueue(queue, from: exchanges[random.below(2)], key: random.pick(keys)))
        case ..<91: return topology(.purge(queue))
        case ..<93: return consuming(.closeChannel)
        case ..<94: return topology(.deleteQueue(queue, ifUnused: random.chance(30), ifEmpty: random.chance(30)))
        case ..<96: return topology(self.queue(index))
        case ..<97: return unnamed()
        default: return fault(queue, channel)
        }
    }

    /// A queue that the broker names, or the one that was declared last.
    private mutating func unnamed() -> Step {
        let classic: Operation.Arguments = profile.isQuorum ? [("x-queue-type", .text("classic"))] : []
        let operations: [Operation] = [
            .declareQueue("", flags: [.exclusive, .autoDelete], classic),
            .declareQueue("", flags: [.exclusive]), .bindQueue("", to: exchanges[0], key: ""),
            .bindQueue("", to: exchanges[1], key: "a"), .purge(""), .inspectQueue(""),
        ]
        return topology(random.pick(operations))
    }

    private mutating func publish() -> Step {
        bodies += 1
        var properties = Operation.Properties()
        if random.chance(30) { properties.headers.append(("k", .text(random.pick(["v", "w"])))) }
        if random.chance(20) { properties.headers.append(("n", random.chance(50) ? .long(1) : .int(1))) }
        if random.chance(10) {
            let others = [queues[1], queues[2], "a", "b"]
            let keys = (0...random.below(2)).map { _ in WireWriter.Value.text(random.pick(others)) }
            properties.headers.append((random.pick(["CC", "BCC"]), .array(keys)))
        }
        if profile == .priority || profile.isQuorum, random.chance(50) {
            properties.priority = UInt8(random.pick([0, 1, 3, 4, 5, 9, 40]))
        }
        if profile == .expiry, random.chance(40) { properties.expiration = random.pick(["0", "250", "5000"]) }
        if profile == .confirmedLetters, random.chance(30) { properties.expiration = random.pick(["250", "5000"]) }
        let isDirect = random.chance(50)
        let exchange = isDirect ? "" : random.pick(exchanges)
        let key = isDirect ? random.pick(queues + ["\(prefix)nobody"]) : random.pick(keys)
        return Step(
            channel: random.chance(80) ? Self.publishing : Self.topology,
            operation: .publish(
                exchange, key: key, mandatory: random.chance(50), properties, body: "body \(bodies)"))
    }

    private mutating func consume(_ queue: String) -> Operation {
        let priority: Operation.Arguments =
            random.chance(20) ? [("x-priority", .int(Int32(random.below(3))))] : []
        return .consume(
            queue, tag: "c\(random.below(3))", noAck: random.chance(15), exclusive: random.chance(5), priority)
    }

    private mutating func settlement(_ channel: UInt16) -> Step? {
        guard let tags = unsettled[channel], !tags.isEmpty else { return nil }
        let tag = random.pick(tags)
        let multiple = random.chance(25)
        let operation: Operation =
            switch random.below(4) {
            case 0, 1: .ack(tag, multiple: multiple)
            case 2: .nack(tag, multiple: multiple, requeue: random.chance(50))
            default: .reject(tag, requeue: random.chance(50))
            }
        return Step(channel: channel, operation: operation)
    }

    /// What RabbitMQ refuses.
    private mutating func fault(_ queue: String, _ channel: UInt16) -> Step {
        let operations: [Operation] = [
            .ack(99, multiple: false), .nack(99, multiple: true, requeue: true), .inspectQueue("\(prefix)nobody"),
            .declareExchange(exchanges[0], type: "fanout"), .declareExchange("\(prefix)new", type: "odd"),
            .declareExchange("amq.\(prefix)", type: "direct"), .declareQueue("amq.\(prefix)"),
            .declareExchange("", type: "direct"), .deleteExchange("amq.direct", ifUnused: false),
            .deleteExchange(exchanges[0], ifUnused: true),
            .bindQueue(queue, to: "\(prefix)nobody", key: ""), .bindQueue("\(prefix)nobody", to: exchanges[0], key: ""),
            .bindQueue(queue, to: "", key: ""), .declareQueue(queue, flags: [.durable, .autoDelete]),
            .declareQueue(queue, flags: [.durable], [("x-max-length", .int(77))]),
            .declareQueue(queue, flags: [.exclusive, .durable]),
            .declareQueue("\(prefix)bad", [("x-max-length", .int(-1))]),
            .declareQueue("\(prefix)bad", [("x-message-ttl", .text("1"))]),
            .declareQueue("\(prefix)bad", [("x-expires", .int(0))]),
            .declareQueue("\(prefix)bad", [("x-dead-letter-routing-key", .text("k"))]),
            .declareQueue("\(prefix)bad", [("x-dead-letter-exchange", .long(1))]),
            .declareQueue("\(prefix)bad", [("x-overflow", .text("burst"))]),
            .declareQueue("\(prefix)bad", [("x-max-priority", .int(-1))]),
            .declareQueue("\(prefix)bad", [("x-max-priority", .int(300))]),
            .declareQueue("\(prefix)bad", [("x-queue-version", .int(9))]),
            .declareQueue("\(prefix)bad", [("x-dead-letter-strategy", .text("at-least-once"))]),
            .declareQueue(
                "\(prefix)bad", [("x-queue-type", .text("quorum")), ("x-dead-letter-strategy", .text("perhaps"))]),
            .declareQueue("\(prefix)bad", [("x-queue-type", .text("quorum")), ("x-max-priority", .int(3))]),
            .publish("", key: queue, mandatory: false, .init(headers: [("CC", .text("a"))]), body: "x"),
            .declareQueue("\(prefix)bad", [("x-queue-type", .text("odd"))]),
            .declareQueue("\(prefix)bad", [("x-delivery-limit", .int(1))]),
            .declareQueue("\(prefix)bad", [("x-single-active-consumer", .text("yes"))]),
            .declareQueue("\(prefix)bad", flags: [], [("x-queue-type", .text("quorum"))]),
            .consume(queue, tag: "c0", noAck: false, exclusive: false, [("x-priority", .text("high"))]),
            .get("\(prefix)nobody", noAck: false), .openChannel, .prefetch(1, size: 7),
            .publish("\(prefix)nobody", key: "", mandatory: false, .init(), body: "x"),
            .publish("amq.rabbitmq.trace", key: "", mandatory: false, .init(), body: "x"),
            .publish("", key: queue, mandatory: false, .init(expiration: "soon"), body: "x"),
            .publish("", key: queue, mandatory: false, .init(expiration: "-1"), body: "x"),
            .publish("", key: queue, mandatory: false, .init(expiration: "1s"), body: "x"),
            .publish("", key: queue, mandatory: false, .init(userID: "nobody"), body: "x"),
        ]
        return Step(channel: random.chance(50) ? channel : Self.topology, operation: random.pick(operations))
    }
}
