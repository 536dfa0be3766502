/// Where a message is published to.
package enum PublishTarget: Sendable, Hashable, CustomStringConvertible {
    /// An exchange that ignores routing keys.
    case exchange(String)
    /// A queue, over the default exchange.
    case queue(String)

    var exchange: String {
        switch self {
        case .exchange(let name): name
        case .queue: ""
        }
    }

    var routingKey: String {
        switch self {
        case .exchange: ""
        case .queue(let name): name
        }
    }

    package var description: String {
        switch self {
        case .exchange(let name): "the exchange '\(name)'"
        case .queue(let name): "the queue '\(name)'"
        }
    }
}
