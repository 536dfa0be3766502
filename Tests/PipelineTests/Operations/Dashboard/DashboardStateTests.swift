import Foundation
import Testing

@testable import Pipeline

@Suite struct DashboardStateTests {
    private func state(_ broker: FlowSnapshot.BrokerState = .up) -> DashboardState {
        var board = OrderBoard()
        let story = OrderStory(42, customer: #"mallory "</script>"@example.com"#)
        for event in [story.placing, story.ordered, story.paid, story.shipped] + story.noticed {
            board.note(event, at: .after(5))
        }
        board.note(OrderStory(43).declined(.fraudDetected), at: .after(9))
        board.note(.deadLettered(.orderNotices, nil, reason: "no\u{0}JSON"), at: .after(7))
        var totals = OrderTotals()
        totals.counts.paymentsSuccess = 10_000
        totals.open = 3
        var flow = FlowSnapshot(brokerName: "127.0.0.1:5672", services: ["generator", "payment"])
        flow.broker = broker
        if broker == .up {
            flow.queues[0] = FlowSnapshot.Queue(
                queue: .payment, ready: 10_000, change: -6.666, consumers: 2, deadLetters: 1, history: [1, 2, 3])
        }
        let figures = FlowSnapshot.Figures(
            isConnected: true, total: 5, rate: 2.345, median: 10.2004, inFlight: 2, reconnects: 4,
            work: [.payment: FlowSnapshot.Work(settledPerSecond: 6.5, inFlight: 2)])
        flow.services[1].kind = .payment
        flow.services[1].state = .up(figures)
        return DashboardState(board: board, totals: totals, flow: flow)
    }

    private func read(_ state: DashboardState) throws -> [String: Any] {
        let bytes = state.encoded()
        #expect(!bytes.contains(10) && !bytes.contains(13), "an event's data is one line")
        return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    private func list(_ object: [String: Any], _ name: String) -> [[String: Any]] {
        object[name] as? [[String: Any]] ?? []
    }

    @Test func `tells of the flow`() throws {
        let object = try read(state())
        let broker = try #require(object["broker"] as? [String: Any])
        #expect(broker["state"] as? String == "up" && broker["address"] as? String == "127.0.0.1:5672")
        #expect(broker["why"] is NSNull)
        let queue = list(object, "queues")[0]
        #expect(queue["name"] as? String == "payment_processor_queue" && queue["ready"] as? Int == 10_000)
        #expect(queue["change"] as? Double == -6.67 && queue["consumers"] as? Int == 2)
        #expect(queue["in_work"] as? Int == 2 && queue["out"] as? Double == 6.5)
        #expect(queue["dead_letters"] as? Int == 1 && queue["history"] as? [Int] == [1, 2, 3])
        #expect(list(object, "queues").count == 5)
        let services = list(object, "services")
        #expect(services[0]["name"] as? String == "generator" && services[0]["connected"] is NSNull)
        #expect(services[1]["rate"] as? Double == 2.35 && services[1]["connected"] as? Bool == true)
        #expect(services[1]["median_ms"] as? Int == 10_200 && services[0]["median_ms"] is NSNull)
        let totals = try #require(object["totals"] as? [String: Any])
        #expect(totals["paid"] as? Int == 10_000 && totals["open"] as? Int == 3 && totals["reconnects"] as? Int == 4)
    }

    @Test func `tells of orders, reasons and letters`() throws {
        let object = try read(state())
        let order = try #require(list(object, "orders").first { $0["number"] as? Int == 42 })
        #expect(order["customer"] as? String == #"mallory "</script>"@example.com"#)
        #expect(order["began"] as? Int == 1_767_781_800_005 && order["rough"] as? Bool == false)
        #expect((order["paid"] as? [String: Any])?["method"] as? String == "credit card")
        #expect((order["shipped"] as? [String: Any])?["carrier"] as? String == "DHL")
        #expect((order["notices"] as? [String: Any])?["shipment"] as? Int == 1_767_781_800_005)
        let other = try #require(list(object, "orders").first { $0["number"] as? Int == 43 })
        #expect((other["paid"] as? [String: Any])?["declined"] as? String == "Fraud detected")
        #expect(other["shipped"] is NSNull && other["ordered"] is NSNull)
        #expect(list(object, "reasons").map { $0["count"] as? Int } == [0, 0, 1, 0])
        #expect(list(object, "letters").first?["reason"] as? String == "no\\u{0}JSON")
    }

    @Test func `says why the broker is away, and nothing of its queues`() throws {
        let object = try read(state(.away("no\u{1b}route")))
        let broker = try #require(object["broker"] as? [String: Any])
        #expect(broker["state"] as? String == "away" && broker["why"] as? String == "no\\u{1b}route")
        #expect(list(object, "queues").allSatisfy { $0["ready"] is NSNull && $0["consumers"] is NSNull })
    }

    @Test func `is the same as long as nothing happens`() {
        #expect(state().encoded() == state().encoded())
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, 1e300])
    func `no figure can spoil it`(number: Double) throws {
        var odd = state()
        odd.flow.services[1].state = .up(
            FlowSnapshot.Figures(
                total: number, rate: number, median: number, inFlight: number, reconnects: number,
                work: [.payment: FlowSnapshot.Work(settledPerSecond: number, inFlight: number)]))
        odd.flow.queues[0].change = number
        let object = try read(odd)
        #expect(list(object, "services")[1]["rate"] is NSNull && list(object, "queues")[0]["out"] is NSNull)
    }

    @Test func `the largest state is of some tens of kilobytes`() {
        var board = OrderBoard()
        let long = String(repeating: "\u{1}", count: 5_000)
        for number in 1...500 as ClosedRange<Int64> {
            let story = OrderStory(number, origin: long, customer: long, currency: long)
            let events = [story.placing, story.ordered, story.declined(FailureReason(rawValue: long)), story.shipped]
            for event in number > 480 ? [story.placing] : events + story.noticed {
                board.note(event, at: .after(number))
            }
            board.note(.deadLettered(.payment, story.identity, reason: long), at: .after(number))
        }
        var large = state()
        large.board = board
        let size = large.encoded().count
        #expect(size < 150_000, "\(size)")
    }
}
