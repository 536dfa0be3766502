internal import ActorBus

/// What an operator does to a broker, and what befalls one.
extension SimulatedBroker {
    // MARK: Nodes

    /// How many nodes it has. They are counted from zero.
    public var nodeCount: Int { core.withLock { $0.model.nodes.count } }

    /// Kills a node, as `kill -9` does: its connections are gone without a word, with everything that is not durable.
    /// Its classic queues are away until it starts again. A quorum queue goes on from another node where most of its
    /// members are left, and is silent where they are not.
    ///
    /// - Parameter losingUnsynced: whether messages and acknowledgments are lost that were not on disk yet
    ///   (``setSyncTime(_:)``). A message that was confirmed is never among them.
    public func kill(node: Int = 0, losingUnsynced: Bool = false) {
        change { $0.kill(node: node, unsynced: losingUnsynced ? .lost : .kept) }
    }

    /// Starts a node that was killed; any other is left as it is.
    public func start(node: Int = 0) { change { $0.start(node: node) } }

    /// Freezes a node, as `kill -STOP` does: its connections stay, and it says nothing until ``thaw(node:)``.
    public func freeze(node: Int = 0) { change { $0.freeze(node: node, true) } }

    /// Lets a frozen node go on with what has come meanwhile.
    public func thaw(node: Int = 0) { change { $0.freeze(node: node, false) } }

    /// The node of a classic queue, or of a quorum queue's leader; nil when there is no such queue.
    public func node(of queue: String, virtualHost: String = "/") -> Int? {
        core.withLock { $0.model.hosts[virtualHost]?.queues[queue]?.node }
    }

    /// Makes a node the leader of a quorum queue. Returns false where it is not to be had: no such queue, none of its
    /// members, or not running.
    @discardableResult
    public func moveLeader(of queue: String, to node: Int, virtualHost: String = "/") -> Bool {
        core.withLock { core in
            guard let queue = core.model.hosts[virtualHost]?.queues[queue],
                core.model.moveLeader(of: queue, to: node)
            else { return false }
            core.model.touch()
            core.changed()
            return true
        }
    }

    /// How long a durable queue takes to write a message or an acknowledgment to disk; zero at first. Confirms wait for
    /// it, and then cover many messages at once.
    public func setSyncTime(_ time: Duration) {
        core.withLock { $0.model.syncTime = max(0, time.wholeMilliseconds) }
    }

    // MARK: Connections

    /// A connection that is open.
    public struct Connection: Sendable, Hashable {
        /// Counts from one, in the order of login.
        public var number: UInt64
        public var user: String
        public var node: Int
        /// The numbers of its open channels.
        public var channels: [UInt16]
    }

    /// The open connections, in the order of login.
    public var connections: [Connection] {
        core.withLock { core in
            core.model.connections.map {
                Connection(
                    number: $0.number, user: $0.user.name, node: $0.node, channels: $0.sortedChannels.map(\.number))
            }
        }
    }

    /// Why the broker closes a connection.
    public enum ConnectionFault: Sendable {
        /// 320, what an operator's `rabbitmqctl` says.
        case connectionForced
        /// 541, a fault of the broker's own.
        case internalError

        fileprivate var code: ReplyCode {
            switch self {
            case .connectionForced: .connectionForced
            case .internalError: .internalError
            }
        }
    }

    /// Why the broker closes a channel: 403, 404, 405, 406.
    public enum ChannelFault: Sendable {
        case accessRefused, notFound, resourceLocked, preconditionFailed

        fileprivate var code: ReplyCode {
            switch self {
            case .accessRefused: .accessRefused
            case .notFound: .notFound
            case .resourceLocked: .resourceLocked
            case .preconditionFailed: .preconditionFailed
            }
        }
    }

    /// Closes a connection; one that is gone is left alone.
    ///
    /// - Parameter reason: the text, without the name of the code, which RabbitMQ puts before it.
    public func close(
        _ connection: Connection, as fault: ConnectionFault = .connectionForced, reason: String = "closed by the test"
    ) {
        change { model in
            model.connections.first { $0.number == connection.number }?.close(
                for: ReplyError(fault.code, reason), method: 0)
        }
    }

    /// Closes a channel; one that is gone is left alone.
    public func close(channel: UInt16, of connection: Connection, as fault: ChannelFault, reason: String) {
        change { model in
            let channels = model.connections.first { $0.number == connection.number }?.sortedChannels
            channels?.first { $0.number == channel && $0.state == .open }?.close(
                for: ReplyError(fault.code, reason), method: 0)
        }
    }

    /// Closes every connection with 320, as `rabbitmqctl close_all_connections` does.
    public func closeAllConnections(reason: String = "closed by the test") {
        change { $0.closeAllConnections(reason: reason) }
    }

    // MARK: Limits and alarms

    /// Raises or ends the memory alarm: connections that publish are blocked, and read no more from.
    public func setMemoryAlarm(_ isOn: Bool) { change { $0.set(.memory, isOn) } }

    /// Raises or ends the alarm for want of disk space, which blocks as the memory alarm does.
    public func setDiskAlarm(_ isOn: Bool) { change { $0.set(.disk, isOn) } }

    /// How long a delivery may wait for its settlement; nil for no limit. RabbitMQ's own half an hour holds at first.
    /// For consumers of RabbitMQ 4.3 it is the limit of those that register from then on.
    public func setConsumerTimeout(_ timeout: Duration?) {
        change { $0.consumerTimeout = timeout?.wholeMilliseconds }
    }

    /// The largest body, in bytes; a larger one closes its channel with 406. RabbitMQ's own limit holds at first:
    /// 128 MiB, and 16 MiB from 4.0 on.
    public func setMaximumMessageSize(_ bytes: Int) { core.withLock { $0.model.maximumMessageSize = bytes } }

    // MARK: Queues

    /// Deletes a queue, as `rabbitmqctl delete_queue` does: its consumers are told, its messages are gone.
    public func deleteQueue(_ queue: String, virtualHost: String = "/") {
        change { model in
            guard let host = model.hosts[virtualHost], let queue = host.queues[queue] else { return }
            host.delete(queue)
        }
    }

    private func change(_ body: (BrokerModel) -> Void) {
        core.withLock { core in
            body(core.model)
            core.model.touch()
            core.changed()
        }
    }
}
