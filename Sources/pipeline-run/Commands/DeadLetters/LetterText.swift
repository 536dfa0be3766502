import ActorBus
import Pipeline

/// A dead letter in a line. What strangers wrote is made fit for a terminal.
enum LetterLine {
    static let heading = line("QUEUE", "AGE", "ERROR", "TRIES", "ORDER", "REASON")

    static func text(_ letter: StoredDeadLetter, at now: Timestamp) -> String {
        let age = letter.firstFailedAt.map { DurationText.age(.milliseconds(now.milliseconds - $0.milliseconds)) }
        return line(
            letter.queue.rawValue, age ?? "-", letter.error.map { PrintableText.of($0, limit: 14) } ?? "-",
            letter.attempts.map { "\($0)" } ?? "-",
            PrintableText.of(letter.correlationID ?? letter.orderID.map { "#\($0)" } ?? "-", limit: 60),
            PrintableText.of(letter.reason ?? "-", limit: 500))
    }

    /// Of fixed widths, since a line is written before the next letter is known.
    private static func line(
        _ queue: String, _ age: String, _ error: String, _ attempts: String, _ order: String, _ reason: String
    ) -> String {
        "\(padded(queue, 29)) \(padded(age, 5)) \(padded(error, 14)) \(padded(attempts, 5)) \(padded(order, 24)) \(reason)"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// A dead letter whole.
enum LetterText {
    /// What of a body is shown to a person, in characters; `--json` has it all.
    private static let longestBody = 4000

    static func lines(_ letter: StoredDeadLetter) -> [String] {
        let properties = letter.message.properties
        var rows: [(String, String?)] = [
            ("message_id", properties.messageID), ("correlation_id", properties.correlationID),
            ("type", properties.type), ("app_id", properties.appID), ("content_type", properties.contentType),
            ("timestamp", properties.timestamp.map { Timestamp(clampingSeconds: Int64(clamping: $0)).text }),
        ]
        if let fault = letter.headersFault { rows.append(("headers", "cannot be read: \(fault)")) }
        for (name, value) in properties.headers.sorted(by: { $0.key < $1.key }) {
            rows.append((name, value.text ?? text(of: value)))
        }
        var lines = ["── \(letter.queue.deadLetterQueue), \(letter.message.body.count) bytes"]
        for case (let name, let value?) in rows {
            lines.append(
                "\(PrintableText.of(name, limit: 60)): \(PrintableText.of(value, limit: 1000))")
        }
        lines.append(PrintableText.of(letter.text ?? Hexadecimal.text(letter.message.body), limit: longestBody))
        return lines
    }

    private static func text(of value: FieldValue) -> String {
        if let number = value.integer { return "\(number)" }
        var json = JSONWriter(capacity: 64)
        json.table(["": value])
        // Without the table that it had to be put into.
        return String(decoding: json.bytes.dropFirst("{\"\":".utf8.count).dropLast(), as: UTF8.self)
    }

    /// One line of JSON.
    static func json(_ letter: StoredDeadLetter, withBody: Bool) -> String {
        let properties = letter.message.properties
        var json = JSONWriter(capacity: 1024)
        json.beginObject()
        json.name("queue")
        json.string(letter.queue.rawValue)
        json.name("error")
        json.string(letter.error)
        json.name("reason")
        json.string(letter.reason)
        json.name("attempts")
        if let attempts = letter.attempts { json.whole(attempts) } else { json.null() }
        json.name("first_failed_at")
        json.string(letter.firstFailedAt?.text)
        json.name("original_exchange")
        json.string(letter.originalExchange)
        json.name("correlation_id")
        json.string(properties.correlationID)
        json.name("message_id")
        json.string(properties.messageID)
        json.name("order_id")
        if let orderID = letter.orderID { json.whole(orderID) } else { json.null() }
        json.name("type")
        json.string(properties.type)
        json.name("app_id")
        json.string(properties.appID)
        json.name("bytes")
        json.whole(Int64(letter.message.body.count))
        if withBody {
            json.name("headers")
            json.table(properties.headers)
            // Text where it is some, so that it can be read; else digits, so that nothing of it is lost.
            if let text = letter.text {
                json.name("body")
                json.string(text)
            } else {
                json.name("body_hex")
                json.string(Hexadecimal.text(letter.message.body))
            }
        }
        json.endObject()
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
