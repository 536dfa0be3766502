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
    /// Publishes whose confirm is still out, in their order.
    private var unconfirmed: [Unconfirmed] = []
    /// What the client has said while the channel waited for a queue.
    private var waiting: [Incoming] = []
    /// When the channel waits no longer.
    private var waitEnd: Int64?
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
        /// Its number in the broker's record.
        var number = -1
        /// Given back already, since it was not settled in time; the client may settle it still.
        var isLate = false
    }

    /// What a client has said.
    struct Incoming {
        var method: ClientMethod
        var number: UInt32
        var content: BrokerMessage?
    }

    private struct Unconfirmed {
        var sequence: UInt64
        /// Queues that are silent.
        var silentQueues: Int
        /// When the others have it on disk.
        var syncedAt: Int64
        var isRefused: Bool
        /// The classic queues that have it.
        var queues: [String]
    }

    init(number: UInt16, connection: ConnectionModel) {
        self.number = number
        self.connection = connection
        publisher = connection.broker.nextPublisherNumber()
    }

    var broker: BrokerModel { connection.broker }

    /// What a queue has handed out here and waits for, in the order of its delivery.
    func unsettled(of queue: QueueModel) -> [QueueEntry] {
        unsettled.filter { $0.queue === queue && !$0.isLate }.map(\.entry)
    }

    func send(_ method: ServerMethod) { connection.send(method, on: number) }

    /// Does what a client says, or waits with it while a queue that it is about is silent.
    func receive(_ incoming: Incoming) {
        if !waiting.isEmpty || mustWait(for: incoming) {
            waiting.append(incoming)
        } else {
            perform(incoming)
        }
    }

    private func perform(_ incoming: Incoming) {
        do {
            try handle(incoming.method, content: incoming.content, host: connection.host)
        } catch {
            connection.refuse(error, method: incoming.number, on: self)
        }
    }

    private func mustWait(for incoming: Incoming) -> Bool {
        guard state == .open, connection.closeError == nil, let queue = queue(of: incoming.method) else { return false }
        guard let patience = queue.patience else { return true }
        if patience > 0, waitEnd == nil { waitEnd = broker.now + patience }
        return patience > 0
    }

    /// The queue whose word a method waits for.
    private func queue(of method: ClientMethod) -> QueueModel? {
        let name: String
        switch method {
        case .queueDeclare(let declare): name = declare.queue
        case .queuePurge(let queue, _), .queueDelete(let queue, _, _, _), .basicGet(let queue, _): name = queue
        case .basicConsume(let consume): name = consume.queue
        default: return nil
        }
        return connection.host.queues[name.isEmpty ? lastQueue : name]
    }

    /// Goes on, where a queue that the channel had waited for is there again.
    func resume() {
        while let next = waiting.first, !mustWait(for: next) {
            waiting.removeFirst()
            waitEnd = nil
            perform(next)
        }
    }

    /// Does what the method says. `content` is there for basic.publish.
    private func handle(_ method: ClientMethod, content: BrokerMessage?, host: VirtualHost) throws(ReplyError) {
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
            letGo(by: .goodbye)
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
            broker.record.asked(.confirms, by: connection.number, at: broker.now)
            if broker.refusesConfirms { throw .preconditionFailed("no confirms for now") }
            isConfirming = true
            if !noWait { send(.confirmSelectOk) }
        case .basicQos(let size, let count, let global):
            if size != 0 { throw ReplyError(.notImplemented, "prefetch_size!=0 (\(size))") }
            let isShared = global && broker.version.sharesPrefetch
            if isShared, count > 0 { throw .notSimulated("a prefetch shared by a channel's consumers (global)") }
            if !isShared { prefetch = Int(count) }
            send(.basicQosOk)
        case .basicConsume(let consume): try self.consume(consume, host: host)
        case .basicCancel(let consumerTag, let noWait): cancel(consumerTag, noWait: noWait)
        case .basicCancelOk(let consumerTag): cancel(consumerTag, noWait: true)
        case .channelFlowOk: break
        case .basicGet(let queue, let noAck): try get(queue, noAck: noAck, host: host)
        case .basicAck(let tag, let multiple):
            for group in settlable(try take(tag, multiple: multiple)) {
                broker.record.settled(group, as: .acknowledged, by: .client, at: broker.now)
                group[0].queue.acknowledge(group.map(\.entry), of: group[0].consumer)
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
        letGo(by: .loss)
        state = .closing
        send(
            .channelClose(
                replyCode: error.code.rawValue, replyText: error.text, classID: UInt16(method >> 16),
                methodID: UInt16(method & 0xFFFF)))
    }

    /// Ends the consumers and gives back what is unsettled.
    func letGo(by settler: BrokerRecord.Settler) {
        endConsumers()
        returnUnsettled(by: settler)
    }

    func endConsumers() {
        let queues = consumers.values.map(\.queue).sorted { $0.name < $1.name }
        consumers = [:]
        for queue in queues { queue.remove { $0.channel === self } }
    }

    func returnUnsettled(by settler: BrokerRecord.Settler) {
        // A queue that was silent may still speak of them, and nobody is there to hear it.
        unconfirmed = []
        let entries = unsettled.filter { !$0.isLate }
        unsettled = []
        for queue in connection.host.sortedQueues { queue.forget(publisher: publisher) }
        for group in Self.grouped(entries, byRegistration: broker.version.numbersConsumers) {
            broker.record.settled(group, as: .returned, by: settler, at: broker.now)
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
        let blindKeys = try Self.keys(in: "BCC", of: content)
        message.routingKeys = [routingKey] + (try Self.keys(in: "CC", of: content)) + blindKeys
        message.blindKeyCount = blindKeys.count
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
        var confirm = Unconfirmed(
            sequence: sequence, silentQueues: 0, syncedAt: broker.now, isRefused: false,
            queues: queues.filter { !$0.isQuorum }.map(\.name))
        let isPersistent = message.properties.deliveryMode == .persistent
        for queue in queues {
            let acceptance = queue.publish(message, from: publisher) { [weak self] isTaken in
                self?.queueHasSpoken(of: sequence, isTaken)
            }
            switch acceptance {
            case .taken:
                if queue.isQuorum || queue.durable && isPersistent { confirm.syncedAt = broker.now + broker.syncTime }
            case .refused: confirm.isRefused = true
            case .held: confirm.silentQueues += 1
            }
        }
        guard isConfirming else { return }
        if broker.losesConfirms { confirm.silentQueues += 1 }
        if confirm.silentQueues == 0, confirm.isRefused || confirm.syncedAt <= broker.now {
            send(self.confirm(confirm, multiple: false))
        } else {
            unconfirmed.append(confirm)
        }
    }

    private func confirm(_ publish: Unconfirmed, multiple: Bool) -> ServerMethod {
        publish.isRefused
            ? .basicNack(deliveryTag: publish.sequence, multiple: multiple)
            : .basicAck(deliveryTag: publish.sequence, multiple: multiple)
    }

    /// A queue that was silent has said what became of a message.
    private func queueHasSpoken(of sequence: UInt64, _ isTaken: Bool) {
        guard let index = unconfirmed.firstIndex(where: { $0.sequence == sequence }) else { return }
        unconfirmed[index].silentQueues -= 1
        unconfirmed[index].isRefused = unconfirmed[index].isRefused || !isTaken
        unconfirmed[index].syncedAt = broker.now + broker.syncTime
        sendConfirms()
    }

    /// Sends the confirms that are due: those before the first that is still out with one `multiple`, as RabbitMQ does.
    private func sendConfirms() {
        let now = broker.now
        func isDue(_ publish: Unconfirmed) -> Bool {
            publish.silentQueues == 0 && (publish.isRefused || publish.syncedAt <= now)
        }
        let due = unconfirmed.filter(isDue)
        unconfirmed.removeAll(where: isDue)
        let first = (unconfirmed + due.filter(\.isRefused)).map(\.sequence).min() ?? .max
        let together = due.filter { $0.sequence < first }
        if let last = together.last { send(confirm(last, multiple: together.count > 1)) }
        for publish in due where publish.sequence >= first { send(confirm(publish, multiple: false)) }
    }

    /// The channel's node is killed: quorum queues keep waiting for what they have handed out here.
    func isLost() {
        let waiting = unsettled.filter { $0.queue.isQuorum && !$0.isLate }
        unsettled.removeAll { $0.queue.isQuorum }
        let idle = consumers.values.filter { one in
            one.queue.isQuorum && !waiting.contains { $0.consumer === one.consumer }
        }.sorted { $0.consumer.number < $1.consumer.number }
        for group in Self.grouped(waiting, byRegistration: broker.version.numbersConsumers) {
            broker.record.settled(group, as: .returned, by: .loss, at: broker.now)
            group[0].queue.lose(group[0].consumer, group.map(\.entry), node: connection.node)
        }
        for one in idle { one.queue.lose(one.consumer, [], node: connection.node) }
        for tag in consumers.filter({ $0.value.queue.isQuorum }).keys.sorted() { consumers[tag] = nil }
    }

    /// A classic queue's node is killed: takes what it has handed out here, which may be settled still, without effect.
    /// What it has not confirmed it never will.
    func lose(_ queue: QueueModel) -> [QueueEntry] {
        var entries: [QueueEntry] = []
        for index in unsettled.indices where unsettled[index].queue === queue && !unsettled[index].isLate {
            broker.record.settled([unsettled[index]], as: .returned, by: .recall, at: broker.now)
            unsettled[index].isLate = true
            entries.append(unsettled[index].entry)
        }
        for index in unconfirmed.indices where unconfirmed[index].queues.contains(queue.name) {
            unconfirmed[index].isRefused = true
        }
        sendConfirms()
        return entries
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
        broker.record.asked(.consume(tag: consume.consumerTag), by: connection.number, at: broker.now)
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
        let number = broker.record.delivered(message, of: queue.name, on: publisher)
        var headers = queue.counts(of: entry)
        if broker.numbersDeliveries { headers[BrokerModel.deliveryHeader] = .int64(Int64(number)) }
        connection.send(
            .basicDeliver(
                consumerTag: consumer.tag, deliveryTag: tag, redelivered: entry.wasDelivered,
                exchange: message.exchange, routingKey: message.routingKey),
            on: self.number, content: message.content(with: headers))
        keep(entry, tag: tag, number, queue: queue, consumer: consumer, noAck: consumer.noAck)
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
        let number = broker.record.delivered(message, of: queue.name, on: publisher)
        keep(entry, tag: tag, number, queue: queue, consumer: nil, noAck: noAck)
    }

    private func nextTag() -> UInt64 {
        defer { nextDeliveryTag += 1 }
        return nextDeliveryTag
    }

    private func keep(
        _ entry: QueueEntry, tag: UInt64, _ number: Int, queue: QueueModel, consumer: QueueConsumer?, noAck: Bool
    ) {
        let kept = Unsettled(
            tag: tag, entry: entry, queue: queue, consumer: consumer, since: broker.now, number: number)
        guard noAck else { return unsettled.append(kept) }
        broker.record.settled([kept], as: .acknowledged, by: .client, at: broker.now)
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
    ///
    /// A quorum queue takes back what a channel leaves behind by consumer first where it numbers them.
    private static func grouped(_ entries: [Unsettled], byRegistration: Bool = false) -> [[Unsettled]] {
        var groups: [(key: (String, UInt64, UInt64, String), entries: [Unsettled])] = []
        for entry in entries {
            let isByNumber = byRegistration && entry.queue.isQuorum
            let turn = entry.consumer == nil ? entry.tag : isByNumber ? 0 : .max
            let consumer = isByNumber ? (entry.consumer?.number ?? 0, "") : (0, entry.consumer?.tag ?? "")
            let key = (entry.queue.name, turn, consumer.0, consumer.1)
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
            broker.record.settled(group, as: requeue ? .returned : .rejected, by: .client, at: broker.now)
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
        var next = Int64?.earlier(waitEnd, deliveryDeadline)
        for message in unconfirmed where message.silentQueues == 0 { next = .earlier(next, message.syncedAt) }
        return next
    }

    private var deliveryDeadline: Int64? {
        guard state == .open else { return nil }
        switch broker.version.consumerTimeout {
        case .closesChannel:
            guard let timeout = broker.consumerTimeout else { return nil }
            return unsettled.first.map { $0.since + timeout }
        case .cancelsQuorumConsumer: return unsettled.compactMap { Self.deadline(of: $0) }.min()
        }
    }

    func passTime() {
        if let waitEnd, waitEnd <= broker.now { giveUp() }
        sendConfirms()
        guard let deadline = deliveryDeadline, deadline <= broker.now else { return }
        switch broker.version.consumerTimeout {
        case .closesChannel: close(for: timedOut(broker.consumerTimeout ?? 0), method: 0)
        case .cancelsQuorumConsumer: giveBackWhatIsLate()
        }
    }

    /// The channel has waited for a queue in vain.
    private func giveUp() {
        waitEnd = nil
        guard !waiting.isEmpty else { return }
        let late = waiting.removeFirst()
        if let queue = queue(of: late.method) { connection.refuse(queue.absence, method: late.number, on: self) }
        resume()
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
        var isToClose = false
        for group in Self.grouped(late) {
            let (queue, consumer) = (group[0].queue, group[0].consumer)
            for entry in group { consumer?.late.insert(entry.tag) }
            broker.record.settled(group, as: .returned, by: .recall, at: broker.now)
            queue.takeBack(group.map(\.entry), of: consumer, because: .consumerTimeout)
            if let consumer, consumers[consumer.tag]?.consumer === consumer, connection.wantsCancelNotifications {
                send(.basicCancel(consumerTag: consumer.tag))
            } else {
                isToClose = true
            }
        }
        if isToClose { close(for: timedOut(-1), method: 0) }
    }

    /// A queue's name as a client gave it; empty for the one that it declared last on this channel.
    func expand(_ queue: String) throws(ReplyError) -> String {
        guard queue.isEmpty else { return queue }
        guard !lastQueue.isEmpty else { throw ReplyError(.notFound, "no previously declared queue") }
        return lastQueue
    }
}
