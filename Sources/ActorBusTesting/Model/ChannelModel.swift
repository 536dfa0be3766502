internal import ActorBus

/// A channel as the broker sees it: what it may do next, what it has unsettled, who consumes on it.
final class ChannelModel {
    let number: UInt16
    unowned let connection: ConnectionModel

    enum State { case new, open, closing }
    private(set) var state = State.new
    var prefetch = 0
    var lastQueue = ""
    private(set) var isConfirming = false
    private var publishSequence: UInt64 = 0
    private var nextDeliveryTag: UInt64 = 1
    private var unsettled: [Unsettled] = []
    private var consumers: [String: (consumer: QueueConsumer, queue: QueueModel)] = [:]
    /// Who it is to the quorum queues that it publishes to.
    let publisher: UInt64

    /// A delivery that waits for its settlement.
    struct Unsettled {
        var tag: UInt64
        var entry: QueueEntry
        var queue: QueueModel
        /// Nil for what basic.get took.
        var consumer: QueueConsumer?
        var since: Int64
        /// Given back already, since it was not settled in time; the client may settle it still.
        var isLate = false
    }

    init(number: UInt16, connection: ConnectionModel) {
        self.number = number
        self.connection = connection
        publisher = connection.broker.nextPublisherNumber()
    }

    var broker: BrokerModel { connection.broker }
    var unsettledCount: Int { unsettled.count }

    func send(_ method: ServerMethod) { connection.send(method, on: number) }

    /// Does what the method says. `content` is there for basic.publish.
    func handle(_ method: ClientMethod, content: BrokerMessage?, host: VirtualHost) throws(ReplyError) {
        switch (state, method) {
        case (.new, .channelOpen):
            state = .open
            return send(.channelOpenOk)
        case (.new, _): throw ReplyError(.channelError, "expected 'channel.open'")
        case (.open, .channelOpen): throw ReplyError(.channelError, "second 'channel.open' seen")
        case (.closing, .channelCloseOk): return connection.forget(self)
        case (.closing, .channelClose): return send(.channelCloseOk)
        case (.closing, _): return
        case (.open, .channelClose):
            letGo()
            connection.forget(self)
            return send(.channelCloseOk)
        case (.open, _): break
        }
        switch method {
        case .basicPublish(let exchange, let routingKey, let mandatory, let immediate):
            guard let content else { return }
            if immediate { throw ReplyError(.notImplemented, "immediate=true") }
            try publish(content, to: exchange, routingKey: routingKey, mandatory: mandatory, host: host)
        case .confirmSelect(let noWait):
            isConfirming = true
            if !noWait { send(.confirmSelectOk) }
        case .basicQos(let size, let count, let global):
            if size != 0 { throw ReplyError(.notImplemented, "prefetch_size!=0 (\(size))") }
            if global, count > 0 { throw .notSimulated("a prefetch shared by a channel's consumers (global)") }
            if !global { prefetch = Int(count) }
            send(.basicQosOk)
        case .basicConsume(let consume): try self.consume(consume, host: host)
        case .basicCancel(let consumerTag, let noWait): cancel(consumerTag, noWait: noWait)
        case .basicCancelOk(let consumerTag): cancel(consumerTag, noWait: true)
        case .channelFlowOk: break
        case .basicGet(let queue, let noAck): try get(queue, noAck: noAck, host: host)
        case .basicAck(let tag, let multiple):
            for group in settlable(try take(tag, multiple: multiple)) {
                broker.record.settled(group, as: .acknowledged)
                group[0].queue.acknowledge(group.count, of: group[0].consumer)
            }
        case .basicNack(let tag, let multiple, let requeue):
            settle(settlable(try take(tag, multiple: multiple)), requeue: requeue, .nack)
        case .basicReject(let tag, let requeue):
            settle(settlable(try take(tag, multiple: false)), requeue: requeue, .reject)
        case .basicRecover(let requeue), .basicRecoverAsync(let requeue):
            if !requeue { throw ReplyError(.notImplemented, "requeue=false") }
            let all = unsettled
            unsettled = []
            // A channel hands out what queues send it only after it has answered.
            if case .basicRecover = method { send(.basicRecoverOk) }
            settle(settlable(Self.grouped(all)), requeue: true, .recover)
        case .channelFlow(let active):
            if !active { throw ReplyError(.notImplemented, "active=false") }
            send(.channelFlowOk(active: true))
        case .txSelect, .txCommit, .txRollback: throw .notSimulated("the class tx")
        case .connectionStartOk, .connectionTuneOk, .connectionOpen, .connectionClose, .connectionCloseOk,
            .channelOpen, .channelClose, .channelCloseOk:
            throw ReplyError(.commandInvalid, "unimplemented method")
        default: try declare(method, host: host)
        }
    }

    /// The broker closes the channel; all that comes on it until channel.close-ok is ignored.
    func close(for error: ReplyError, method: UInt32) {
        letGo()
        state = .closing
        send(
            .channelClose(
                replyCode: error.code.rawValue, replyText: error.text, classID: UInt16(method >> 16),
                methodID: UInt16(method & 0xFFFF)))
    }

    /// Ends the consumers and gives back what is unsettled.
    func letGo() {
        endConsumers()
        returnUnsettled()
    }

    func endConsumers() {
        let queues = consumers.values.map(\.queue).sorted { $0.name < $1.name }
        consumers = [:]
        for queue in queues { queue.remove { $0.channel === self } }
    }

    func returnUnsettled() {
        let entries = unsettled.filter { !$0.isLate }
        unsettled = []
        for queue in connection.host.sortedQueues { queue.forget(publisher: publisher) }
        for group in Self.grouped(entries) {
            broker.record.settled(group, as: .returned)
            group[0].queue.takeBack(group.map(\.entry), of: group[0].consumer, because: .channelGone)
        }
    }

    // MARK: Publishing

    private func publish(
        _ content: BrokerMessage, to exchangeName: String, routingKey: String, mandatory: Bool, host: VirtualHost
    ) throws(ReplyError) {
        let limit = broker.maximumMessageSize
        if content.body.count > limit {
            let largest = RabbitMQVersion.largestMessageSize
            throw .preconditionFailed(
                "message size \(content.body.count) is larger than \(limit == largest ? "" : "configured ")max size \(limit)"
            )
        }
        try connection.check(.write, exchange: exchangeName, host: host)
        let exchange = try host.exchange(exchangeName)
        if exchange.internal {
            throw .accessRefused("cannot publish to internal \(host.exchangeResource(exchangeName))")
        }
        try Self.checkExpiration(content.properties.expiration)
        if let user = content.properties.userID, user != connection.user.name {
            throw .preconditionFailed(
                "user_id property set to '\(user)' but authenticated user was '\(connection.user.name)'")
        }
        var message = content
        message.number = broker.nextMessageNumber()
        message.exchange = exchangeName
        message.blindKeys = try Self.keys(in: "BCC", of: content)
        message.routingKeys = [routingKey] + (try Self.keys(in: "CC", of: content)) + message.blindKeys
        if message.properties.headers["BCC"] != nil {
            message.properties.headers["BCC"] = nil
            message.encodedProperties = nil
            message.hasLostHeader = true
        }
        let queues = host.route(message)
        if isConfirming { publishSequence += 1 }
        let sequence = publishSequence
        if queues.isEmpty, mandatory {
            connection.send(
                .basicReturn(
                    replyCode: ReplyCode.noRoute.rawValue, replyText: ReplyCode.noRoute.name, exchange: exchangeName,
                    routingKey: routingKey),
                on: number, content: message.content())
        }
        broker.record.published(message, queues: queues.map(\.name))
        var isRefused = false
        for queue in queues where !queue.publish(message, from: publisher) { isRefused = true }
        if isConfirming {
            send(
                isRefused
                    ? .basicNack(deliveryTag: sequence, multiple: false)
                    : .basicAck(deliveryTag: sequence, multiple: false))
        }
    }

    /// Further routing keys, which a header names.
    private static func keys(in header: String, of message: BrokerMessage) throws(ReplyError) -> [String] {
        switch message.properties.headers[header] {
        case nil: return []
        case .array(let values)?:
            return values.compactMap { if case .string(let key) = $0 { key } else { nil } }
        case let value?:
            throw .preconditionFailed(
                "invalid message: {unacceptable_type_in_header,\"\(header)\",\(ErlangTerm.typeName(value))}")
        }
    }

    private static func checkExpiration(_ expiration: String?) throws(ReplyError) {
        guard let expiration else { return }
        func invalid(_ reason: String) -> ReplyError {
            .preconditionFailed("invalid expiration '\(expiration)': \(reason)")
        }
        let digits = expiration.drop { $0 == "-" || $0 == "+" }.prefix { $0.isASCII && $0.isNumber }
        let sign = expiration.prefix { $0 == "-" || $0 == "+" }
        guard sign.count <= 1, !digits.isEmpty else { throw invalid("no_integer") }
        let rest = expiration.dropFirst(sign.count + digits.count)
        guard rest.isEmpty else { throw invalid("{leftover_string,\"\(rest)\"}") }
        guard let value = Int64(sign + digits) else { throw invalid("{value_too_large,\(sign + digits)}") }
        if value < 0 { throw invalid("{value_negative,\(value)}") }
        if value > 315_360_000_000 { throw invalid("{value_too_large,\(value)}") }
    }

    // MARK: Consuming

    private func consume(_ consume: ClientMethod.Consume, host: VirtualHost) throws(ReplyError) {
        let name = try expand(consume.queue)
        if name.hasPrefix("amq.rabbitmq.reply-to") { throw .notSimulated("direct reply-to") }
        if consumers[consume.consumerTag] != nil {
            throw ReplyError(.notAllowed, "attempt to reuse consumer tag '\(consume.consumerTag)'")
        }
        try connection.check(.read, queue: name, host: host)
        let queue = try connection.accessible(name, host: host)
        let priority = try Self.priority(consume.arguments, resource: queue.resource)
        let timeout = try Self.timeout(consume.arguments, of: queue)
        let tag = consume.consumerTag.isEmpty ? broker.nextName("amq.ctag-") : consume.consumerTag
        let consumer = QueueConsumer(
            number: broker.nextConsumerNumber(), tag: tag, channel: self, noAck: consume.noAck, prefetch: prefetch,
            priority: priority, timeout: timeout)
        let isAnswered = !consume.noWait
        try queue.add(consumer, exclusive: consume.exclusive) {
            consumers[tag] = (consumer, queue)
            if isAnswered { send(.basicConsumeOk(consumerTag: tag)) }
        }
    }

    private static func priority(_ arguments: FieldTable, resource: String) throws(ReplyError) -> Int64 {
        guard let value = arguments["x-priority"] else { return 0 }
        guard let priority = ErlangTerm.integer(value) else {
            throw .preconditionFailed(
                "invalid arg 'x-priority' for \(resource): \"expected integer, got \(ErlangTerm.typeName(value))\"")
        }
        return priority
    }

    /// How long a delivery to a consumer may wait for its settlement, where its queue sees to that.
    private static func timeout(_ arguments: FieldTable, of queue: QueueModel) throws(ReplyError) -> Int64? {
        let version = queue.broker.version
        guard version.queuesHaveConsumerTimeouts else { return nil }
        let value = arguments["x-consumer-timeout"]
        guard queue.isQuorum else {
            guard value == nil else {
                throw .preconditionFailed(
                    "invalid arg 'x-consumer-timeout' for \(queue.resource) of queue type rabbit_classic_queue")
            }
            return nil
        }
        guard let value else { return queue.options.consumerTimeout ?? queue.broker.consumerTimeout }
        func invalid(_ reason: String) -> ReplyError {
            .preconditionFailed("invalid arg 'x-consumer-timeout' for \(queue.resource): \(reason)")
        }
        guard let timeout = ErlangTerm.integer(value) else {
            throw invalid("\"expected integer, got \(ErlangTerm.typeName(value))\"")
        }
        if timeout < 0 { throw invalid("{value_negative,\(timeout)}") }
        return timeout
    }

    private func cancel(_ tag: String, noWait: Bool) {
        if !noWait { send(.basicCancelOk(consumerTag: tag)) }
        guard let (consumer, queue) = consumers.removeValue(forKey: tag) else { return }
        queue.remove { $0 === consumer }
    }

    /// The queue is gone, or has ended the consumer for another reason.
    func consumerIsGone(_ consumer: QueueConsumer) {
        guard consumers[consumer.tag]?.consumer === consumer else { return }
        consumers[consumer.tag] = nil
        if connection.wantsCancelNotifications { send(.basicCancel(consumerTag: consumer.tag)) }
    }

    func deliver(_ entry: QueueEntry, to consumer: QueueConsumer, from queue: QueueModel) {
        let tag = nextTag()
        let message = entry.message
        connection.send(
            .basicDeliver(
                consumerTag: consumer.tag, deliveryTag: tag, redelivered: entry.wasDelivered,
                exchange: message.exchange, routingKey: message.routingKey),
            on: number, content: message.content(with: queue.counts(of: entry)))
        keep(entry, tag: tag, queue: queue, consumer: consumer, noAck: consumer.noAck)
    }

    private func get(_ name: String, noAck: Bool, host: VirtualHost) throws(ReplyError) {
        let name = try expand(name)
        try connection.check(.read, queue: name, host: host)
        let queue = try connection.accessible(name, host: host)
        if queue.options.singleActiveConsumer, queue.options.kind == .quorum {
            throw ReplyError(
                .resourceLocked,
                "cannot obtain access to locked \(queue.resource). basic.get operations are not supported by "
                    + "\(broker.version.nameOfQuorumType) queues with single active consumer")
        }
        guard let entry = queue.get(noAck: noAck) else { return send(.basicGetEmpty) }
        let tag = nextTag()
        let message = entry.message
        connection.send(
            .basicGetOk(
                deliveryTag: tag, redelivered: entry.wasDelivered, exchange: message.exchange,
                routingKey: message.routingKey, messages: UInt32(queue.readyCount)),
            on: number, content: message.content(with: queue.counts(of: entry, forGet: true)))
        keep(entry, tag: tag, queue: queue, consumer: nil, noAck: noAck)
    }

    private func nextTag() -> UInt64 {
        defer { nextDeliveryTag += 1 }
        return nextDeliveryTag
    }

    private func keep(_ entry: QueueEntry, tag: UInt64, queue: QueueModel, consumer: QueueConsumer?, noAck: Bool) {
        let kept = Unsettled(tag: tag, entry: entry, queue: queue, consumer: consumer, since: broker.now)
        if noAck { broker.record.settled([kept], as: .acknowledged) } else { unsettled.append(kept) }
    }

    // MARK: Settlement

    /// Takes one delivery, or all up to it, out of what is unsettled, grouped by queue and consumer.
    private func take(_ tag: UInt64, multiple: Bool) throws(ReplyError) -> [[Unsettled]] {
        if tag == 0, multiple {
            defer { unsettled = [] }
            return Self.grouped(unsettled)
        }
        guard let index = unsettled.firstIndex(where: { $0.tag == tag }) else {
            throw .preconditionFailed("unknown delivery tag \(tag)")
        }
        guard multiple else { return [[unsettled.remove(at: index)]] }
        let taken = Array(unsettled[...index])
        unsettled.removeFirst(index + 1)
        return Self.grouped(taken)
    }

    /// In the order in which RabbitMQ settles: by queue; what basic.get took, one by one; then by consumer.
    private static func grouped(_ entries: [Unsettled]) -> [[Unsettled]] {
        var groups: [(key: (String, UInt64, String), entries: [Unsettled])] = []
        for entry in entries {
            let key = (entry.queue.name, entry.consumer == nil ? entry.tag : .max, entry.consumer?.tag ?? "")
            if let index = groups.firstIndex(where: { $0.key == key && $0.entries[0].queue === entry.queue }) {
                groups[index].entries.append(entry)
            } else {
                groups.append((key, [entry]))
            }
        }
        return groups.sorted { $0.key < $1.key }.map(\.entries)
    }

    private func settle(_ groups: [[Unsettled]], requeue: Bool, _ why: QueueModel.Return) {
        for group in groups {
            broker.record.settled(group, as: requeue ? .returned : .rejected)
            let entries = group.map(\.entry)
            if requeue {
                group[0].queue.takeBack(entries, of: group[0].consumer, because: why)
            } else {
                group[0].queue.discard(entries, of: group[0].consumer, because: why)
            }
        }
    }

    /// Of what the client settles, what it has not settled too late.
    private func settlable(_ groups: [[Unsettled]]) -> [[Unsettled]] {
        groups.compactMap { group in
            let late = group.filter(\.isLate)
            if !late.isEmpty, let consumer = group[0].consumer {
                group[0].queue.settleLate(late.map(\.tag), of: consumer)
            }
            let rest = group.filter { !$0.isLate }
            return rest.isEmpty ? nil : rest
        }
    }

    // MARK: Time

    /// When a delivery has waited too long for its settlement.
    var nextDeadline: Int64? {
        switch broker.version.consumerTimeout {
        case .closesChannel:
            guard let timeout = broker.consumerTimeout else { return nil }
            return unsettled.first.map { $0.since + timeout }
        case .cancelsQuorumConsumer: return unsettled.compactMap { Self.deadline(of: $0) }.min()
        }
    }

    func passTime() {
        guard state == .open, let deadline = nextDeadline, deadline <= broker.now else { return }
        switch broker.version.consumerTimeout {
        case .closesChannel: close(for: timedOut(broker.consumerTimeout ?? 0), method: 0)
        case .cancelsQuorumConsumer: giveBackWhatIsLate()
        }
    }

    private func timedOut(_ timeout: Int64) -> ReplyError {
        .preconditionFailed(
            "delivery acknowledgement on channel \(number) timed out. Timeout value used: \(timeout) ms. "
                + "This timeout value can be configured, see consumers doc guide to learn more")
    }

    private static func deadline(of entry: Unsettled) -> Int64? {
        guard !entry.isLate, entry.queue.isQuorum else { return nil }
        guard let consumer = entry.consumer else { return entry.queue.getTimeout.map { entry.since + $0 } }
        return consumer.timeout.map { entry.since + $0 }
    }

    /// A quorum queue takes back what has not been settled in time, and tells the consumer to go. Its tag is taken, and
    /// what it has is its own, until it has gone.
    private func giveBackWhatIsLate() {
        var late: [Unsettled] = []
        for index in unsettled.indices {
            guard let deadline = Self.deadline(of: unsettled[index]), deadline <= broker.now else { continue }
            unsettled[index].isLate = true
            late.append(unsettled[index])
        }
        for group in Self.grouped(late) {
            let (queue, consumer) = (group[0].queue, group[0].consumer)
            for entry in group { consumer?.late.insert(entry.tag) }
            broker.record.settled(group, as: .returned)
            queue.takeBack(group.map(\.entry), of: consumer, because: .consumerTimeout)
            guard let consumer, consumers[consumer.tag]?.consumer === consumer, connection.wantsCancelNotifications
            else { return close(for: timedOut(-1), method: 0) }
            send(.basicCancel(consumerTag: consumer.tag))
        }
    }

    /// A queue's name as a client gave it; empty for the one that it declared last on this channel.
    func expand(_ queue: String) throws(ReplyError) -> String {
        guard queue.isEmpty else { return queue }
        guard !lastQueue.isEmpty else { throw ReplyError(.notFound, "no previously declared queue") }
        return lastQueue
    }
}
