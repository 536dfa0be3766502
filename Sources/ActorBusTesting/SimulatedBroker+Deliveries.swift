package import ActorBus

/// Each single delivery, and what clients ask for again and again: for the search, which holds them against what users of
/// the library were handed, and how long their connections waited.
extension SimulatedBroker {
    package enum Settler: Sendable {
        /// The client, by a settlement.
        case client
        /// The client, by closing the channel or the connection in good order.
        case goodbye
        /// The broker: channel, connection or node is gone.
        case loss
        /// The broker, while the channel lives: it was not settled in time, or its queue went down with a node.
        case recall
    }

    package struct DeliveredMessage: Sendable {
        package var message: Message
        /// The channel's number in the whole broker: later ones have higher numbers.
        package var channel: UInt64
        /// Nil while it is unsettled. The time counts from the broker's beginning.
        package var end: (how: SettledMessage.Settlement, by: Settler, at: Duration)?
    }

    package struct Request: Sendable {
        package enum Kind: Hashable, Sendable {
            case declare(queue: String)
            case consume(tag: String)
            case confirms
        }

        /// As in ``Connection/number``.
        package var connection: UInt64
        package var kind: Kind
        package var at: Duration
    }

    /// Whether each delivery has its number in the header ``deliveryHeader``, which tells deliveries of one message apart.
    package func numberDeliveries() { core.withLock { $0.model.numbersDeliveries = true } }

    package static var deliveryHeader: String { BrokerModel.deliveryHeader }

    /// What is on record of the delivery with this number, where nothing was forgotten.
    package func delivery(_ number: Int) -> DeliveredMessage? {
        core.withLock { core in
            let all = core.model.record.deliveries
            return all.indices.contains(number) ? all[number].forUsers : nil
        }
    }

    /// All deliveries, in the order of their numbers.
    package var deliveries: [DeliveredMessage] {
        core.withLock { core in core.model.record.deliveries.map(\.forUsers) }
    }

    /// What clients have asked for, in order.
    package var requests: [Request] {
        core.withLock { core in
            core.model.record.requests.map {
                Request(connection: $0.connection, kind: $0.kind.forUsers, at: .milliseconds($0.at))
            }
        }
    }

    /// Lets confirms get lost, which no RabbitMQ should do and some have done, or ends that: what was published meanwhile is
    /// never answered.
    package func loseConfirms(_ isOn: Bool) { core.withLock { $0.model.losesConfirms = isOn } }

    /// Closes channels that ask for confirms, or ends that.
    package func refuseConfirms(_ isOn: Bool) { core.withLock { $0.model.refusesConfirms = isOn } }

    /// Puts a classic queue with these arguments in the place of one, which is deleted: somebody else has declared it
    /// differently.
    package func replaceQueue(_ name: String, arguments: FieldTable, virtualHost: String = "/") {
        core.withLock { core in
            guard let host = core.model.hosts[virtualHost] else { return }
            core.model.replaceQueue(name, arguments: arguments, host: host)
            core.model.touch()
            core.changed()
        }
    }
}

extension BrokerModel {
    fileprivate func replaceQueue(_ name: String, arguments: FieldTable, host: VirtualHost) {
        guard let node = nodes.indices.first(where: isServing) else { return }
        let options: QueueArguments
        do {
            options = try QueueArguments(arguments, of: host.queueResource(name), version: version)
        } catch {
            preconditionFailure("no queue has these arguments: \(error.text)")
        }
        if let queue = host.queues[name] { host.delete(queue) }
        host.add(
            QueueModel(
                name: name, virtualHost: host, durable: true, autoDelete: false, owner: nil, arguments: arguments,
                options: options, node: node))
    }
}

extension BrokerRecord.Delivery {
    fileprivate var forUsers: SimulatedBroker.DeliveredMessage {
        SimulatedBroker.DeliveredMessage(
            message: message.forUsers, channel: channel,
            end: end.map { ($0.how.forUsers, $0.by.forUsers, .milliseconds($0.at)) })
    }
}

extension BrokerRecord.Settler {
    fileprivate var forUsers: SimulatedBroker.Settler {
        switch self {
        case .client: .client
        case .goodbye: .goodbye
        case .loss: .loss
        case .recall: .recall
        }
    }
}

extension BrokerRecord.Request.Kind {
    fileprivate var forUsers: SimulatedBroker.Request.Kind {
        switch self {
        case .declare(let queue): .declare(queue: queue)
        case .consume(let tag): .consume(tag: tag)
        case .confirms: .confirms
        }
    }
}
