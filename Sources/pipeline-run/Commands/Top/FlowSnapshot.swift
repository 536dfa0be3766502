import Pipeline

/// The flow at one moment, as it is shown. Nil is what is not known.
struct FlowSnapshot: Sendable, Equatable {
    enum BrokerState: Sendable, Equatable {
        case connecting
        case up
        case away(String)
    }

    struct Queue: Sendable, Equatable {
        let queue: PipelineQueue
        var ready: UInt32?
        /// By how much `ready` changes in a second.
        var change: Double?
        var consumers: UInt32?
        var deadLetters: UInt32?
        /// `ready` at the last looks, the oldest first.
        var history: [UInt32] = []
    }

    struct Service: Sendable, Equatable {
        enum State: Sendable, Equatable {
            case asking
            case up(Figures)
            case away(String)
        }

        /// The service's name, or where it is asked while that is not known.
        var name: String
        var kind: ServiceKind?
        var state: State
    }

    /// What a service says of itself.
    struct Figures: Sendable, Equatable {
        var isConnected = false
        /// Effects since its start: orders, payments, shipments or notices.
        var total: Double = 0
        /// Effects a second.
        var rate: Double?
        /// From order to effect, in seconds, of the last effects.
        var median: Double?
        var percentile95: Double?
        var inFlight: Double = 0
        var redelivered: Double = 0
        var reconnects: Double = 0
        var deadLettered: Double = 0
        var memory: Double?
    }

    /// Something that changed.
    struct Notice: Sendable, Equatable {
        let time: Timestamp
        let words: String
    }

    var time: Timestamp
    /// The broker's addresses, without a password.
    var brokerName: String
    var broker: BrokerState
    var queues: [Queue]
    var services: [Service]
    /// The newest first.
    var notices: [Notice] = []

    /// Effects a second of all services of a kind; nil when none says it.
    func rate(of kind: ServiceKind) -> Double? {
        let rates = services.compactMap { service -> Double? in
            guard service.kind == kind, case .up(let figures) = service.state else { return nil }
            return figures.rate
        }
        return rates.isEmpty ? nil : rates.reduce(0, +)
    }

    var figures: [Figures] {
        services.compactMap { if case .up(let figures) = $0.state { figures } else { nil } }
    }
}
