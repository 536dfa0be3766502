/// The flow at one moment, as it is shown. Nil is what is not known.
package struct FlowSnapshot: Sendable, Equatable {
    package enum BrokerState: Sendable, Equatable {
        case connecting
        case up
        case away(String)
    }

    package struct Queue: Sendable, Equatable {
        package let queue: PipelineQueue
        package var ready: UInt32?
        /// By how much `ready` changes in a second.
        package var change: Double?
        package var consumers: UInt32?
        package var deadLetters: UInt32?
        /// `ready` at the last looks, the oldest first.
        package var history: [UInt32]

        package init(
            queue: PipelineQueue, ready: UInt32? = nil, change: Double? = nil, consumers: UInt32? = nil,
            deadLetters: UInt32? = nil, history: [UInt32] = []
        ) {
            self.queue = queue
            self.ready = ready
            self.change = change
            self.consumers = consumers
            self.deadLetters = deadLetters
            self.history = history
        }
    }

    package struct Service: Sendable, Equatable {
        package enum State: Sendable, Equatable {
            case asking
            case up(Figures)
            case away(String)
        }

        /// The service's name, or where it is asked while that is not known.
        package var name: String
        package var kind: ServiceKind?
        package var state: State

        package init(name: String, kind: ServiceKind?, state: State) {
            self.name = name
            self.kind = kind
            self.state = state
        }
    }

    /// What a service does with one of its queues.
    package struct Work: Sendable, Equatable {
        /// Messages settled in a second, however it went.
        package var settledPerSecond: Double?
        /// Messages in work.
        package var inFlight: Double

        package init(settledPerSecond: Double?, inFlight: Double) {
            self.settledPerSecond = settledPerSecond
            self.inFlight = inFlight
        }
    }

    /// What a service says of itself.
    package struct Figures: Sendable, Equatable {
        package var isConnected: Bool
        /// Effects since its start: orders, payments, shipments or notices.
        package var total: Double
        /// Effects a second.
        package var rate: Double?
        /// From order to effect, in seconds, of the effects of the last minute; exact, of the newest 1,000 at most.
        package var median: Double?
        package var percentile95: Double?
        package var inFlight: Double
        package var redelivered: Double
        package var reconnects: Double
        package var deadLettered: Double
        package var memory: Double?
        package var work: [PipelineQueue: Work]

        package init(
            isConnected: Bool = false, total: Double = 0, rate: Double? = nil, median: Double? = nil,
            percentile95: Double? = nil, inFlight: Double = 0, redelivered: Double = 0, reconnects: Double = 0,
            deadLettered: Double = 0, memory: Double? = nil, work: [PipelineQueue: Work] = [:]
        ) {
            self.isConnected = isConnected
            self.total = total
            self.rate = rate
            self.median = median
            self.percentile95 = percentile95
            self.inFlight = inFlight
            self.redelivered = redelivered
            self.reconnects = reconnects
            self.deadLettered = deadLettered
            self.memory = memory
            self.work = work
        }
    }

    /// Something that changed.
    package struct Notice: Sendable, Equatable {
        package let time: Timestamp
        package let words: String

        package init(time: Timestamp, words: String) {
            self.time = time
            self.words = words
        }
    }

    package var time: Timestamp
    /// The broker's addresses, without a password.
    package var brokerName: String
    package var broker: BrokerState
    package var queues: [Queue]
    package var services: [Service]
    /// The newest first.
    package var notices: [Notice]

    package init(
        time: Timestamp, brokerName: String, broker: BrokerState, queues: [Queue], services: [Service],
        notices: [Notice] = []
    ) {
        self.time = time
        self.brokerName = brokerName
        self.broker = broker
        self.queues = queues
        self.services = services
        self.notices = notices
    }

    /// Before anything is known of the queues.
    package init(brokerName: String, services: [String]) {
        self.init(
            time: .now(), brokerName: brokerName, broker: .connecting,
            queues: PipelineQueue.allCases.map { Queue(queue: $0) },
            services: services.map { Service(name: $0, kind: nil, state: .asking) })
    }

    /// Effects a second of all services of a kind; nil when none says it.
    package func rate(of kind: ServiceKind) -> Double? {
        let rates = services.compactMap { service -> Double? in
            guard service.kind == kind, case .up(let figures) = service.state else { return nil }
            return figures.rate
        }
        return rates.isEmpty ? nil : rates.reduce(0, +)
    }

    /// What the services do with a queue, together; nil when none says it.
    package func work(on queue: PipelineQueue) -> Work? {
        let all = figures.compactMap { $0.work[queue] }
        guard let first = all.first else { return nil }
        return all.dropFirst().reduce(into: first) { sum, work in
            sum.inFlight += work.inFlight
            if let rate = work.settledPerSecond { sum.settledPerSecond = (sum.settledPerSecond ?? 0) + rate }
        }
    }

    package var figures: [Figures] {
        services.compactMap { if case .up(let figures) = $0.state { figures } else { nil } }
    }
}
