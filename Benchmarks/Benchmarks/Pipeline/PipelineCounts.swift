/// What became of the orders of a run.
struct PipelineCounts: Sendable, Equatable {
    var payments = 0
    var successes = 0
    var shipments = 0
    /// By the exchange that caused them.
    var orderNotices = 0
    var paymentNotices = 0
    var shipmentNotices = 0

    /// Whether each of so many orders went all the way that it had to go.
    func areComplete(_ orders: Int) -> Bool {
        payments == orders && orderNotices == orders && paymentNotices == orders && shipments == successes
            && shipmentNotices == successes && successes > 0
    }
}
