/// What a broker said on a channel, as text that two brokers can be compared by.
struct Answer: Equatable, CustomStringConvertible {
    enum Kind: Equatable {
        case other
        case delivery(tag: UInt64, consumer: String)
        case confirm(tag: UInt64, multiple: Bool, isRefusal: Bool)
        case cancelled(consumer: String)
        case channelClosed
        case connectionClosed
    }

    var channel: UInt16
    var kind: Kind
    var text: String

    var description: String { "\(channel): \(text)" }
}

/// Takes a broker's bytes apart into answers.
struct AnswerReader {
    private var bytes: [UInt8] = []
    /// Deliveries and the like, whose content is still to come.
    private var partial: [UInt16: (answer: Answer, size: Int?, body: [UInt8])] = [:]

    mutating func append(_ more: [UInt8]) { bytes += more }

    mutating func next() -> Answer? {
        while bytes.count >= 7 {
            var head = WireReader(bytes[..<7])
            let type = head.number(1)
            let channel = head.u16()
            let size = Int(head.number(4))
            guard bytes.count >= size + 8 else { return nil }
            let payload = Array(bytes[7..<7 + size])
            bytes.removeFirst(size + 8)
            if let answer = take(type, channel, payload) { return answer }
        }
        return nil
    }

    private mutating func take(_ type: UInt64, _ channel: UInt16, _ payload: [UInt8]) -> Answer? {
        var reader = WireReader(payload)
        switch type {
        case 1:
            let number = [reader.u16(), reader.u16()]
            let answer = Self.method(number, channel, &reader)
            guard [[60, 50], [60, 60], [60, 71]].contains(number) else { return answer }
            partial[channel] = (answer, nil, [])
            return nil
        case 2:
            guard var message = partial[channel] else { return nil }
            _ = reader.number(4)
            message.size = Int(reader.number(8))
            message.answer.text += " " + reader.properties()
            partial[channel] = message
            return completed(channel)
        case 3:
            partial[channel]?.body += payload
            return completed(channel)
        default: return nil
        }
    }

    private mutating func completed(_ channel: UInt16) -> Answer? {
        guard let message = partial[channel], let size = message.size, message.body.count >= size else { return nil }
        partial[channel] = nil
        var answer = message.answer
        answer.text += " body '\(String(decoding: message.body, as: UTF8.self))'"
        return answer
    }

    private static func method(_ number: [UInt16], _ channel: UInt16, _ reader: inout WireReader) -> Answer {
        func answer(_ text: String, _ kind: Answer.Kind = .other) -> Answer {
            Answer(channel: channel, kind: kind, text: text)
        }
        func closed(_ what: String, _ reader: inout WireReader) -> String {
            "\(what) closed \(reader.u16()) '\(reader.short())' for \(reader.u16()).\(reader.u16())"
        }
        /// What the broker makes up is never the same twice.
        func declared(_ name: String) -> String { name.hasPrefix("amq.gen-") ? "amq.gen-…" : name }
        switch number {
        case [10, 10]:
            _ = reader.u16()
            return answer("start \(reader.table())")
        case [10, 60]: return answer("blocked '\(reader.short())'")
        case [10, 61]: return answer("unblocked")
        case [10, 50]: return answer(closed("connection", &reader), .connectionClosed)
        case [20, 40]: return answer(closed("channel", &reader), .channelClosed)
        case [50, 11]: return answer("declare-ok \(declared(reader.short())) \(reader.number(4)) \(reader.number(4))")
        case [50, 31], [50, 41]: return answer("\(number[1] == 31 ? "purge" : "delete")-ok \(reader.number(4))")
        case [60, 21]: return answer("consume-ok \(reader.short())")
        case [60, 31]: return answer("cancel-ok \(reader.short())")
        case [60, 30]:
            let tag = reader.short()
            return answer("cancel \(tag)", .cancelled(consumer: tag))
        case [60, 50]: return answer("return \(reader.u16()) \(reader.short()) '\(reader.short())' '\(reader.short())'")
        case [60, 60]:
            let consumer = reader.short()
            let tag = reader.number(8)
            let again = reader.number(1)
            return answer(
                "deliver \(consumer) #\(tag) again=\(again) '\(reader.short())' '\(reader.short())'",
                .delivery(tag: tag, consumer: consumer))
        case [60, 71]:
            let tag = reader.number(8)
            let again = reader.number(1)
            return answer(
                "get-ok #\(tag) again=\(again) '\(reader.short())' '\(reader.short())' left \(reader.number(4))",
                .delivery(tag: tag, consumer: ""))
        case [60, 80], [60, 120]:
            let tag = reader.number(8)
            let isRefusal = number[1] == 120
            return answer(
                "\(isRefusal ? "nack" : "ack") #\(tag)",
                .confirm(tag: tag, multiple: reader.number(1) & 1 != 0, isRefusal: isRefusal))
        default: return answer("method \(number[0]).\(number[1])")
        }
    }
}
