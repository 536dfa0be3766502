internal import ActorBus

/// A virtual host: its exchanges, queues and bindings.
final class VirtualHost {
    let name: String
    unowned let broker: BrokerModel
    private(set) var exchanges: [String: ExchangeModel] = [:]
    private(set) var queues: [String: QueueModel] = [:]
    private(set) var bindings: [BindingModel] = []

    init(name: String, broker: BrokerModel) {
        self.name = name
        self.broker = broker
        for exchange in ExchangeModel.standard { exchanges[exchange.name] = exchange }
    }

    func exchangeResource(_ exchange: String) -> String { "exchange '\(exchange)' in vhost '\(name)'" }
    func queueResource(_ queue: String) -> String { "queue '\(queue)' in vhost '\(name)'" }

    func exchange(_ exchange: String) throws(ReplyError) -> ExchangeModel {
        guard let found = exchanges[exchange] else { throw .notFound(exchangeResource(exchange)) }
        return found
    }

    func queue(_ queue: String) throws(ReplyError) -> QueueModel {
        guard let found = queues[queue] else { throw .notFound(queueResource(queue)) }
        if found.availability == .away { throw found.absence }
        return found
    }

    /// The queues in the order of their names, so that what is done to all is done in the same order in each run.
    var sortedQueues: [QueueModel] { queues.values.sorted { $0.name < $1.name } }

    // MARK: Routing

    /// The queues that a message goes to, in the order of their names.
    func route(_ message: BrokerMessage) -> [QueueModel] {
        let all = targets(of: message)
        return broker.version.routesToAbsentQueues ? all : all.filter { $0.availability != .away }
    }

    private func targets(of message: BrokerMessage) -> [QueueModel] {
        guard message.exchange != "" else {
            return Set(message.routingKeys).sorted().compactMap { queues[$0] }
        }
        var found: Set<String> = []
        var seen: Set<String> = [message.exchange]
        var work = [message.exchange]
        while let name = work.popLast(), let exchange = exchanges[name] {
            var next: [String] = []
            var hasTargets = false
            if name == "" {
                for key in message.routingKeys {
                    hasTargets = true
                    found.insert(key)
                }
            }
            for binding in bindings where binding.source == name && exchange.matches(binding, message) {
                hasTargets = true
                switch binding.destination {
                case .queue(let queue): found.insert(queue)
                case .exchange(let exchange): next.append(exchange)
                }
            }
            if !hasTargets, let alternate = exchange.alternate { next.append(alternate) }
            for exchange in next where exchanges[exchange] != nil && seen.insert(exchange).inserted {
                work.append(exchange)
            }
        }
        return found.sorted().compactMap { queues[$0] }
    }

    // MARK: Entities

    func add(_ exchange: ExchangeModel) { exchanges[exchange.name] = exchange }
    func add(_ queue: QueueModel) { queues[queue.name] = queue }

    func add(_ binding: BindingModel) {
        if !bindings.contains(binding) { bindings.append(binding) }
    }

    func remove(_ binding: BindingModel) {
        removeBindings { $0 == binding }
    }

    func delete(_ queue: QueueModel) {
        guard queues[queue.name] === queue else { return }
        broker.touch()
        queues[queue.name] = nil
        queue.end()
        removeBindings { $0.destination == .queue(queue.name) }
    }

    func deleteExchange(_ exchange: String) {
        guard exchanges.removeValue(forKey: exchange) != nil else { return }
        bindings.removeAll { $0.source == exchange }
        removeBindings { $0.destination == .exchange(exchange) }
    }

    /// No node has run since: what is not durable is gone.
    func forgetWhatIsTransient() {
        guard !broker.version.transientExchangesOutliveRestarts else { return }
        for exchange in exchanges.keys.sorted() where exchanges[exchange]?.durable == false { deleteExchange(exchange) }
    }

    func isUsed(exchange: String) -> Bool { bindings.contains { $0.source == exchange } }

    /// An exchange that is to go with its last binding goes.
    private func removeBindings(where isGone: (BindingModel) -> Bool) {
        let gone = bindings.filter(isGone)
        guard !gone.isEmpty else { return }
        bindings.removeAll(where: isGone)
        for source in Set(gone.map(\.source)).sorted() {
            guard let exchange = exchanges[source], exchange.autoDelete, !isUsed(exchange: source) else { continue }
            deleteExchange(source)
        }
    }
}
