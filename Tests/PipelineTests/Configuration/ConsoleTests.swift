import ActorBus
import Foundation
import Logging
import Pipeline
import Testing

@testable import pipeline_run

@Suite struct ConsoleTests {
    private static let order = Order(
        orderID: 42, customerEmail: "alice@example.com", items: [], totalAmount: .maximum, currency: "EUR",
        timestamp: Timestamp(clampingSeconds: 1_767_781_800))
    private static let identity = OrderIdentity("one")

    @Test func `a line tells the time, the order and what happened`() throws {
        let line = try #require(EventLine(.ordered(Self.order, Self.identity)))
        let text = line.text(at: Self.order.timestamp, colors: false)
        #expect(text == "10:30:00 ● #42     ordered   0 items, €1000000.00, alice@example.com")
        #expect(line.text(at: Self.order.timestamp, colors: true).contains("\u{1b}[36m"))
    }

    @Test func `what strangers wrote does not reach the terminal as it came`() throws {
        let order = Order(
            orderID: 1, customerEmail: "a\u{1b}[2J\n@b", items: [], totalAmount: .zero, currency: "\u{7}",
            timestamp: Self.order.timestamp)
        let text = try #require(EventLine(.ordered(order, Self.identity))).text(at: order.timestamp, colors: false)
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 })
    }

    @Test func `the last line is one JSON object that adds up`() {
        var tally = OrderTally()
        tally.note(.placing(Self.identity))
        tally.note(.ordered(Self.order, Self.identity))
        tally.note(.notified(Notification(of: Self.order), Self.identity))
        tally.note(.redelivered(.payment))
        let json = RunSummary(tally, elapsed: .milliseconds(1250)).json(QueueWatch.Remainder(queued: 1))
        #expect(
            json == #"{"orders":1,"payments_success":0,"payments_failed":0,"shipments":0,"notifications":1,"#
                + #""dead_lettered":0,"redelivered":1,"lost":0,"still_queued":1,"not_followed":0,"#
                + #""other_events":0,"seconds":1.2}"#)
    }

    @Test func `a run with a dead letter adds up`() {
        var tally = OrderTally()
        tally.note(.placing(Self.identity))
        tally.note(.deadLettered(.orderNotices, Self.identity, reason: "x"))
        tally.note(.ordered(Self.order, Self.identity))
        let answer = ChargeAnswer(
            outcome: .declined(.cardExpired), method: .paypal, processingTime: ProcessingTime(hundredths: 1))
        let payment = Payment(of: Self.order, answer: answer, at: Self.order.timestamp)
        tally.note(.paid(payment, Self.identity))
        tally.note(.notified(Notification(of: payment), Self.identity))
        let json = RunSummary(tally, elapsed: .zero).json(QueueWatch.Remainder())
        #expect(
            json == #"{"orders":1,"payments_success":0,"payments_failed":1,"shipments":0,"notifications":1,"#
                + #""dead_lettered":1,"redelivered":0,"lost":0,"still_queued":0,"not_followed":0,"#
                + #""other_events":0,"seconds":0.0}"#)
        #expect(tally.open == 0)
    }

    @Test(arguments: [true, false])
    func `progress is drawn only where a line can be drawn anew`(redrawsLines: Bool) async throws {
        let pipe = Pipe()
        let terminal = TerminalCapabilities(isTerminal: true, hasColors: redrawsLines, redrawsLines: redrawsLines)
        let logs = LogOutput(
            format: .pretty, level: .info, writer: LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor),
            terminal: terminal, now: { Self.order.timestamp })
        let configuration = try configure(.all, ["--max-orders", "3", "--log-format", "pretty"])
        let console = Console(logs, configuration, progressOf: RunBook(mostOpen: 9), terminal: terminal)
        try await console.whilePrinting { console.show(.ordered(Self.order, Self.identity)) }
        logs.writer.flush(patience: .seconds(10))
        try pipe.fileHandleForWriting.close()
        let shown = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        #expect(shown.contains("#42"))
        #expect(shown.contains("0 of 3 settled") == redrawsLines)
        #expect(shown.contains("\u{1b}") == redrawsLines && shown.contains("\r") == redrawsLines)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a terminal that was held up is told how many lines it missed`() async throws {
        let pipe = Pipe()
        let terminal = TerminalCapabilities(isTerminal: true, hasColors: false, redrawsLines: false)
        let logs = LogOutput(
            format: .pretty, writer: LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor),
            terminal: terminal)
        let console = Console(
            logs, try configure(.all, ["--log-format", "pretty"]), progressOf: nil, terminal: terminal)
        let reader = pipe.fileHandleForReading
        let hasRoom = Lock(false)
        async let read = RawHTTP.blocking {
            while !hasRoom.withLock({ $0 }) { usleep(1_000) }
            return try reader.readToEnd() ?? Data()
        }
        try await console.whilePrinting {
            for _ in 0..<30_000 { console.show(.ordered(Self.order, Self.identity)) }
            while logs.writer.lostLines == 0 { try await Task.sleep(for: .milliseconds(10)) }
            hasRoom.withLock { $0 = true }
            try await RawHTTP.blocking { logs.writer.flush(patience: .seconds(10)) }
            console.show(.ordered(Self.order, Self.identity))
        }
        try await RawHTTP.blocking { logs.writer.flush(patience: .seconds(10)) }
        try pipe.fileHandleForWriting.close()
        let lines = String(decoding: try await read, as: UTF8.self).split(separator: "\n")
        let notices = lines.filter { $0.hasPrefix("… ") }
        let missed = notices.compactMap { $0.split(separator: " ").dropFirst().first.flatMap { Int($0) } }
        #expect(notices.allSatisfy { $0.hasSuffix(" lines left out, since the terminal was too slow") })
        #expect(!notices.isEmpty && missed.reduce(0, +) + lines.count - notices.count == 30_001)
    }

    @Test func `progress goes from empty to full`() {
        var tally = OrderTally()
        #expect(RunSummary(tally, elapsed: .zero).progress(of: 2).hasSuffix("0 of 2 settled"))
        for name in ["one", "two"] {
            tally.note(.placing(OrderIdentity(name)))
            tally.note(.ordered(Self.order, OrderIdentity(name)))
            tally.note(.deadLettered(.payment, OrderIdentity(name), reason: "x"))
            tally.note(.notified(Notification(of: Self.order), OrderIdentity(name)))
        }
        let full = RunSummary(tally, elapsed: .zero).progress(of: 2)
        #expect(full.hasPrefix(String(repeating: "█", count: 20)) && full.hasSuffix("2 of 2 settled"))
        #expect(RunSummary(tally, elapsed: .zero).progress(of: 1).count < 60, "also when there are more than wanted")
    }
}
