internal import ActorBus

/// The content that goes with a method: properties, as they stood on the wire where nobody changed them, and body.
struct Content {
    var properties: MessageProperties
    var encodedProperties: [UInt8]?
    var body: [UInt8]
    /// Whether a header table that has become empty is written as such, and not left out.
    var keepsEmptyHeaders: Bool

    init(
        _ properties: MessageProperties, _ encodedProperties: [UInt8]?, _ body: [UInt8], keepsEmptyHeaders: Bool = false
    ) {
        self.properties = properties
        self.encodedProperties = encodedProperties
        self.body = body
        self.keepsEmptyHeaders = keepsEmptyHeaders
    }
}

/// An open connection as the broker sees it: a user in a virtual host, with channels and exclusive queues.
final class ConnectionModel {
    let number: UInt64
    /// As the client calls it (`connection_name`).
    let name: String
    let broker: BrokerModel
    let user: BrokerUser
    let host: VirtualHost
    let node: Int
    let wantsCancelNotifications: Bool
    let wantsBlockedNotifications: Bool
    let channelMax: UInt16
    private(set) var channels: [UInt16: ChannelModel] = [:]
    /// Blocked by an alarm since it published (RabbitMQ, "Memory and Disk Alarms").
    private(set) var isBlocked = false
    /// The error with which the broker has closed it.
    private(set) var closeError: ReplyError?
    /// Takes what is sent to the client.
    private let output: (ServerMethod, UInt16, Content?) -> Void

    init(
        number: UInt64, name: String, broker: BrokerModel, user: BrokerUser, host: VirtualHost, node: Int,
        channelMax: UInt16,
        capabilities: FieldTable, output: @escaping (ServerMethod, UInt16, Content?) -> Void
    ) {
        self.number = number
        self.name = name
        self.broker = broker
        self.user = user
        self.host = host
        self.node = node
        self.channelMax = channelMax
        self.output = output
        wantsCancelNotifications = capabilities["consumer_cancel_notify"] == .bool(true)
        wantsBlockedNotifications = capabilities["connection.blocked"] == .bool(true)
    }

    /// When something happens on one of its channels by itself.
    var nextDeadline: Int64? {
        channels.values.reduce(nil) { .earlier($0, $1.nextDeadline) }
    }

    var sortedChannels: [ChannelModel] { channels.values.sorted { $0.number < $1.number } }

    func send(_ method: ServerMethod, on channel: UInt16, content: Content? = nil) { output(method, channel, content) }

    /// Does what a method on a channel says. What RabbitMQ refuses closes the channel or the connection.
    func handle(_ method: ClientMethod, number method32: UInt32, on channelNumber: UInt16, content: BrokerMessage?) {
        guard closeError == nil else { return }
        let channel: ChannelModel
        if let known = channels[channelNumber] {
            channel = known
        } else {
            if channelMax > 0, channels.count >= Int(channelMax) {
                return close(
                    for: ReplyError(
                        .notAllowed,
                        "number of channels opened (\(channels.count)) has reached the negotiated channel_max "
                            + "(\(channelMax))"),
                    method: 0)
            }
            channel = ChannelModel(number: channelNumber, connection: self)
            channels[channelNumber] = channel
        }
        channel.receive(ChannelModel.Incoming(method: method, number: method32, content: content))
    }

    /// What a channel has done wrong closes it, or the whole connection.
    func refuse(_ error: ReplyError, method: UInt32, on channel: ChannelModel) {
        if error.code.closesConnection {
            close(for: error, method: method)
        } else {
            channel.close(for: error, method: method)
        }
    }

    func forget(_ channel: ChannelModel) { channels[channel.number] = nil }

    /// Whether an unknown frame on this channel is to be ignored, since the channel is being closed.
    func isClosing(channel: UInt16) -> Bool { channels[channel]?.state == .closing }

    /// The broker closes the connection and says why.
    func close(for error: ReplyError, method: UInt32) {
        guard closeError == nil else { return }
        closeError = error
        end()
        send(
            .connectionClose(
                replyCode: error.code.rawValue, replyText: error.text, classID: UInt16(method >> 16),
                methodID: UInt16(method & 0xFFFF)),
            on: 0)
    }

    /// Lets go of everything that the connection has.
    func end(by settler: BrokerRecord.Settler = .loss) {
        let open = sortedChannels
        channels = [:]
        // What one channel gives back must not go to another that is about to end.
        for channel in open { channel.endConsumers() }
        for channel in open { channel.returnUnsettled(by: settler) }
        for queue in host.sortedQueues where queue.owner == number { host.delete(queue) }
        broker.forget(self)
    }

    // MARK: Alarms

    /// It has published: under an alarm the broker reads no more from it.
    func hasPublished() {
        guard !isBlocked, !broker.alarms.isEmpty else { return }
        isBlocked = true
        guard wantsBlockedNotifications else { return }
        let causes = broker.alarms.map(\.rawValue).sorted().joined(separator: " & ")
        send(.connectionBlocked(reason: "low on \(causes)"), on: 0)
    }

    func alarmsAreOver() {
        guard isBlocked else { return }
        isBlocked = false
        if wantsBlockedNotifications { send(.connectionUnblocked, on: 0) }
    }

    // MARK: Access

    enum Permission: String { case configure, write, read }

    func check(_ permission: Permission, queue: String, host: VirtualHost) throws(ReplyError) {
        try check(permission, queue, resource: host.queueResource(queue), host: host)
    }

    func check(_ permission: Permission, exchange: String, host: VirtualHost) throws(ReplyError) {
        let name = exchange.isEmpty ? "amq.default" : exchange
        try check(permission, name, resource: host.exchangeResource(name), host: host)
    }

    /// Whether it may ask for a queue or an exchange.
    func checkAny(_ name: String, resource: String, host: VirtualHost) throws(ReplyError) {
        guard broker.version.passiveDeclarationsNeedAPermission else { return }
        for permission in [Permission.read, .write] where user.may(permission, name, in: host.name) { return }
        try check(.configure, name, resource: resource, host: host)
    }

    private func check(
        _ permission: Permission, _ name: String, resource: String, host: VirtualHost
    ) throws(ReplyError) {
        guard !user.may(permission, name, in: host.name) else { return }
        let which = broker.version.namesTheMissingPermission ? "\(permission.rawValue) " : ""
        throw .accessRefused("\(which)access to \(resource) refused for user '\(user.name)'")
    }

    /// The queue, unless another connection has it for itself.
    func accessible(_ name: String, host: VirtualHost) throws(ReplyError) -> QueueModel {
        let queue = try host.queue(name)
        try checkOwner(of: queue, strict: false, exclusive: false)
        return queue
    }

    /// `strict`: a declaration, which must ask for the same as there is.
    func checkOwner(of queue: QueueModel, strict: Bool, exclusive: Bool) throws(ReplyError) {
        if queue.owner == (strict && !exclusive ? nil : number) { return }
        if !strict, queue.owner == nil { return }
        throw ReplyError(
            .resourceLocked,
            "cannot obtain exclusive access to locked \(queue.resource). It could be originally declared on another "
                + "connection or the exclusive property value does not match that of the original declaration.")
    }
}
