/// One thing of a topology that is declared by itself: an exchange, or a queue with its bindings.
enum TopologyPart: Equatable {
    case exchange(Exchange)
    case queue(Queue)

    /// What it is called; exchanges and queues have names of their own each.
    enum Name: Hashable, CustomStringConvertible {
        case exchange(WireName)
        case queue(WireName)

        var description: String {
            switch self {
            case .exchange(let name): "the exchange '\(name)'"
            case .queue(let name): "the queue '\(name)'"
            }
        }

        /// The queue's name; nil for an exchange.
        var queue: String? { if case .queue(let name) = self { name.text } else { nil } }
    }

    var name: Name {
        switch self {
        case .exchange(let exchange): .exchange(WireName(exchange.name))
        case .queue(let queue): .queue(WireName(queue.name))
        }
    }
}

extension Topology {
    /// All parts in the order in which they are declared: queues behind the exchanges that they are bound to.
    var parts: [TopologyPart] { exchanges.map { .exchange($0) } + queues.map { .queue($0) } }

    func part(_ name: TopologyPart.Name) -> TopologyPart? { parts.first { $0.name == name } }

    /// The parts that a consumer of the queue needs: the queue, and before it the exchanges that it is bound to.
    func parts(ofQueue name: String) -> [TopologyPart] {
        guard let queue = queues.first(where: { $0.name.hasSameBytes(as: name) }) else { return [] }
        return exchanges.filter { exchange in queue.bindings.contains { $0.exchange.hasSameBytes(as: exchange.name) } }
            .map { .exchange($0) } + [.queue(queue)]
    }

    /// Throws ``AMQPError/Code/invalidConfiguration`` for a queue without a name. The broker would choose one, another at
    /// every recovery, and the durable queues of all earlier ones would stay.
    func check() throws(AMQPError) {
        guard queues.allSatisfy({ !$0.name.isEmpty }) else {
            throw AMQPError(
                .invalidConfiguration,
                "a queue of the topology has no name, and would be another one after each recovery",
                remedy: "give it a name of its own, such as a random one, and x-expires where it is to go by itself")
        }
    }
}
