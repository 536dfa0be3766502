import ActorBus
import ActorBusTesting

/// What users were handed and how they settled it, held against what the broker has on record of each delivery: a
/// settlement reaches the delivery that it is for and no other, while the channel lives; and nothing is handed out twice, or
/// after it was given back.
struct HandedOut {
    private struct Hand {
        var reader: Int
        /// How, and between which times the library is told: it waits with a delivery whose handler threw, or is cut short.
        var settled: (how: Settlement, from: Duration, to: Duration)?
    }

    /// Who reads over one consumer, from its registration to its end.
    private struct Reader {
        let client: Int
        /// The channel that the last delivery came over.
        var channel: UInt64 = 0
    }

    private var hands: [Int: Hand] = [:]
    private var readers: [Reader] = []
    /// When the user of a client has closed it.
    private var closings: [Int: Duration] = [:]

    /// How much later than its user's word a settlement is written at most, where there is a channel.
    private static let delay = Duration.milliseconds(500)

    mutating func begin(client: Int) -> Int {
        readers.append(Reader(client: client))
        return readers.count - 1
    }

    mutating func closes(client: Int, at time: Duration) { closings[client] = closings[client] ?? time }

    /// The number that the broker has given a delivery.
    static func number(of delivery: Delivery) -> Int? {
        guard case .int64(let number)? = delivery.properties.headers[SimulatedBroker.deliveryHeader] else { return nil }
        return Int(exactly: number)
    }

    /// Notes a delivery that a reader is handed; returns what is wrong with it.
    mutating func handed(_ number: Int, of message: String, to reader: Int, in broker: SimulatedBroker) -> String? {
        guard let delivery = broker.delivery(number) else { return "\(message) was never delivered, and is handed out" }
        guard hands.updateValue(Hand(reader: reader), forKey: number) == nil else {
            return "the delivery \(number) of \(message) was handed out twice"
        }
        let last = readers[reader].channel
        readers[reader].channel = max(last, delivery.channel)
        if delivery.channel < last { return "\(message) was handed out behind what came over a later channel" }
        if delivery.end?.by == .client { return "\(message) was handed out after it was given back" }
        return PublishedMessages.name(of: delivery.message) == message
            ? nil : "\(message) was handed out, and another was delivered"
    }

    mutating func settle(_ number: Int, _ settlement: Settlement, from: Duration, to: Duration) {
        hands[number]?.settled = (settlement, from, to)
    }

    // MARK: In the end

    /// What is wrong when everything is closed.
    ///
    /// - Parameter calm: since when nothing has broken a connection.
    func findings(in deliveries: [SimulatedBroker.DeliveredMessage], calm: Duration) -> [String] {
        // Of each channel, when the last was settled of which the broker has heard.
        var lastHeard: [UInt64: Duration] = [:]
        for (number, delivery) in deliveries.enumerated() where delivery.end?.by == .client {
            if let settled = hands[number]?.settled {
                lastHeard[delivery.channel] = max(lastHeard[delivery.channel] ?? .zero, settled.from)
            }
        }
        return deliveries.enumerated().compactMap { number, delivery in
            fault(of: delivery, hands[number], lastHeard[delivery.channel]).map { fault in
                "the delivery \(number) of \(PublishedMessages.name(of: delivery.message)) \(fault)"
            } ?? late(hands[number], delivery, calm)
        }
    }

    private func fault(
        of delivery: SimulatedBroker.DeliveredMessage, _ hand: Hand?, _ lastHeard: Duration?
    ) -> String? {
        guard let end = delivery.end else { return "is unsettled, and every channel is closed" }
        let settled = hand?.settled
        switch (end.by, end.how) {
        case (.client, .acknowledged):
            return settled?.how == .acknowledge ? nil : "was acknowledged, and not by its user"
        case (.client, .rejected): return settled?.how == .reject ? nil : "was rejected, and not by its user"
        // What was not handed out is given back.
        case (.client, .returned):
            return hand == nil || settled?.how == .requeue ? nil : "was given back, and not by its user"
        case (.goodbye, _), (.loss, _):
            guard let hand else { return nil }
            if let settled, let lastHeard, settled.to + Self.delay < lastHeard {
                return "was settled, which the broker was not told, and was of what came later"
            }
            guard end.by == .goodbye else { return nil }
            // The broker counts in milliseconds.
            guard let closing = closings[readers[hand.reader].client], closing <= end.at + .milliseconds(1) else {
                return "was handed out, and its channel closed, before it was settled"
            }
            return settled.map { $0.to < closing } == true
                ? "was settled before its connection was closed, and the broker was not told" : nil
        case (.recall, _): return nil
        }
    }

    private func late(_ hand: Hand?, _ delivery: SimulatedBroker.DeliveredMessage, _ calm: Duration) -> String? {
        guard let settled = hand?.settled, delivery.end?.by == .loss, settled.from > calm else { return nil }
        return "\(PublishedMessages.name(of: delivery.message)) was settled over a channel that nothing broke, in vain"
    }
}
