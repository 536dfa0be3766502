import ActorBus
import Logging
import Pipeline

/// Shows events: lines for a person on a terminal, log lines elsewhere. All of it goes to standard error.
///
/// Lines for a terminal are brought into order by a task of their own; log lines are made where the event happens, as all
/// logs are. A terminal that is held up (Ctrl-S) holds up nothing: it misses lines, and is told how many.
final class Console: Sendable {
    private enum Item: Sendable {
        case event(EventLine, Timestamp, isNotice: Bool)
        case text(String)
        /// Time to look at what is held back.
        case tick
    }

    /// A line that is drawn again and again below the others.
    struct Progress: Sendable {
        let book: RunBook
        let maximum: Int64
    }

    private static let longestBacklog = 10_000
    private static let redrawInterval = Duration.milliseconds(100)
    /// A notice is often sent before the broker's confirm of what it tells of has come back. Shown a little later, it
    /// stands where a reader expects it.
    private static let noticeDelay = Duration.milliseconds(150)

    private let logs: LogOutput
    private let isPretty: Bool
    private let colors: Bool
    private let showsEvents: Bool
    private let progress: Progress?
    private let loggers: [ServiceKind: Logger]
    private let items: (stream: AsyncStream<Item>, continuation: AsyncStream<Item>.Continuation)

    /// - Parameters:
    ///   - book: what the progress of a run with a maximum is read from; nil for no such line.
    ///   - terminal: what can be shown where `logs` go.
    init(
        _ logs: LogOutput, _ configuration: RunConfiguration, progressOf book: RunBook?,
        terminal: TerminalCapabilities = TerminalCapabilities(descriptor: 2)
    ) {
        self.logs = logs
        isPretty = configuration.logFormat == .pretty || (configuration.logFormat == .auto && terminal.isTerminal)
        colors = terminal.hasColors
        showsEvents = logs.level <= .info
        if terminal.redrawsLines, isPretty, let book, let maximum = configuration.plan.maximum {
            progress = Progress(book: book, maximum: maximum)
        } else {
            progress = nil
        }
        loggers = Dictionary(
            uniqueKeysWithValues: ServiceKind.allCases.map { ($0, logs.logger(service: $0.rawValue)) })
        items = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.longestBacklog))
    }

    /// Shows an event; never waits for a terminal.
    func show(_ event: OrderEvent) {
        guard showsEvents else { return }
        if isPretty {
            guard let line = EventLine(event) else { return }
            var isNotice = false
            if case .notified = event { isNotice = true }
            add(.event(line, .now(), isNotice: isNotice))
        } else {
            log(event)
        }
    }

    /// Shows the numbers of a run.
    func show(_ summary: RunSummary) {
        if isPretty {
            add(.text(summary.text))
        } else {
            logs.logger(service: "pipeline").info("Summary", metadata: summary.metadata)
        }
    }

    /// Prints while `body` runs, and what is left when it has ended.
    func whilePrinting<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let printing = Task { await printItems() }
        do {
            let value = try await body()
            items.continuation.finish()
            await printing.value
            return value
        } catch {
            items.continuation.finish()
            await printing.value
            throw error
        }
    }

    private func add(_ item: Item) {
        switch items.continuation.yield(item) {
        case .dropped(.event), .dropped(.text): logs.writer.lose { self.notice($0) }
        default: break
        }
    }

    // MARK: A terminal

    private func printItems() async {
        var drawn: ContinuousClock.Instant?
        var held: [(due: ContinuousClock.Instant, line: String)] = []
        var nextLook: ContinuousClock.Instant?
        for await item in items.stream {
            let now = ContinuousClock.now
            switch item {
            case .event(let event, let time, let isNotice):
                let line = event.text(at: time, colors: colors)
                if isNotice { held.append((now + Self.noticeDelay, line)) } else { write(line) }
            case .text(let text): write(text)
            case .tick: break
            }
            let due = held.prefix { $0.due <= now }
            for notice in due { write(notice.line) }
            held.removeFirst(due.count)
            if let next = held.first, nextLook.map({ $0 <= now }) ?? true {
                tick(after: now.duration(to: next.due))
                nextLook = next.due
            }
            if drawn.map({ $0.duration(to: now) >= Self.redrawInterval }) ?? true {
                drawProgress()
                drawn = now
            }
        }
        for notice in held { write(notice.line) }
        // So that nothing of it stands behind the shell's prompt.
        if progress != nil { logs.writer.writePassing(Array("\r\u{1b}[K".utf8)) }
    }

    private func tick(after delay: Duration) {
        Task {
            // Not cancelled by anyone; after the end of the stream a tick changes nothing.
            try? await Task.sleep(for: delay)
            self.add(.tick)
        }
    }

    private func write(_ line: String) { logs.writer.write(bytes(of: line)) { self.notice($0) } }

    private func notice(_ lost: UInt64) -> [UInt8] {
        bytes(of: "… \(lost) lines left out, since the terminal was too slow")
    }

    private func bytes(of line: String) -> [UInt8] {
        Array(((progress == nil ? "" : "\r\u{1b}[K") + line + "\n").utf8)
    }

    /// Without a line break and with the cursor back at its beginning, so that the next line takes its place.
    private func drawProgress() {
        guard let progress else { return }
        let summary = RunSummary(progress.book.now, elapsed: .zero)
        logs.writer.writePassing(Array("\r\u{1b}[K\(summary.progress(of: progress.maximum))\r".utf8))
    }

    // MARK: Log lines

    private func log(_ event: OrderEvent) {
        switch event {
        case .placing, .retried, .deadLettered, .redelivered:
            // The first is nobody's business; what failed is logged where it happens.
            return
        case .ordered(let order, let identity):
            loggers[.generator]?.info(
                "Order #\(order.orderID) placed",
                metadata: Self.metadata(order.orderID, identity, ["total": "\(order.totalAmount.text)"]))
        case .paid(let payment, let identity):
            loggers[.payment]?.info(
                "Payment of order #\(payment.orderID): \(payment.status.rawValue)",
                metadata: Self.metadata(
                    payment.orderID, identity,
                    [
                        "amount": "\(payment.amount.text)", "status": "\(payment.status.rawValue)",
                        "reason": payment.failureReason.map { "\($0.rawValue)" },
                    ]))
        case .shipped(let shipment, let identity):
            loggers[.fulfillment]?.info(
                "Order #\(shipment.orderID) shipped",
                metadata: Self.metadata(
                    shipment.orderID, identity,
                    ["tracking_number": "\(shipment.trackingNumber)", "carrier": "\(shipment.carrier.rawValue)"]))
        case .notified(let notification, let identity):
            loggers[.notification]?.info(
                "\(notification.text)",
                metadata: Self.metadata(notification.orderID, identity, ["type": "\(notification.kind.rawValue)"]))
        }
    }

    private static func metadata(
        _ orderID: Int64, _ identity: OrderIdentity, _ more: [String: Logger.MetadataValue?]
    ) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "order_id": .stringConvertible(orderID), "correlation_id": .string(identity.text),
        ]
        for case (let key, let value?) in more { metadata[key] = value }
        return metadata
    }
}
