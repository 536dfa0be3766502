/// The members of a message's JSON object, read by name and type, with errors that name the field.
struct MessageFields {
    /// No body larger than this is looked at.
    static let maximumBytes = 1 << 20
    /// No longer text is taken on: what is copied from message to message, and grows as it is escaped, must leave the
    /// next body below that.
    static let maximumTextBytes = 1 << 16

    private let object: JSONObject
    /// Where this object stands in the message: nil for the message itself, else its place in `items`.
    private let item: Int?

    init(message body: [UInt8]) throws(MalformedMessage) {
        if body.isEmpty { throw MalformedMessage("the body is empty") }
        if body.count > Self.maximumBytes {
            throw MalformedMessage("the body has \(body.count) bytes; \(Self.maximumBytes) are the limit")
        }
        let value: JSON
        do {
            value = try JSONReader.read(body)
        } catch {
            throw MalformedMessage(error.description)
        }
        guard case .object(let object) = value else {
            throw MalformedMessage("expected a JSON object, found \(Self.described(value))")
        }
        self.object = object
        item = nil
    }

    private init(_ object: JSONObject, item: Int) {
        self.object = object
        self.item = item
    }

    func whole(_ name: String) throws(MalformedMessage) -> Int64 {
        let value = object[name]
        guard case .number(let number)? = value, let whole = number.wholeNumber else {
            throw wrong(name, "a whole number of 64 bits", value)
        }
        return whole
    }

    /// A whole number that is not below zero.
    func count(_ name: String) throws(MalformedMessage) -> Int64 {
        let value = object[name]
        guard case .number(let number)? = value, let whole = number.wholeNumber, whole >= 0 else {
            throw wrong(name, "a whole number of 64 bits, 0 or more", value)
        }
        return whole
    }

    func money(_ name: String) throws(MalformedMessage) -> Money {
        let value = object[name]
        guard case .number(let number)? = value, let money = Money(number) else {
            throw wrong(name, "an amount from 0 to 1000000.00", value)
        }
        return money
    }

    /// A number of seconds, in hundredths of a second.
    func hundredths(_ name: String) throws(MalformedMessage) -> Int64 {
        let value = object[name]
        guard case .number(let number)? = value, let magnitude = number.hundredths.magnitude else {
            throw wrong(name, "a number of seconds", value)
        }
        return number.hundredths.isNegative ? -magnitude : magnitude
    }

    func string(_ name: String) throws(MalformedMessage) -> String {
        let value = object[name]
        guard case .string(let text)? = value else { throw wrong(name, "a string", value) }
        return try bounded(text, name)
    }

    func stringOrNull(_ name: String) throws(MalformedMessage) -> String? {
        let value = object[name]
        switch value {
        case .string(let text)?: return try bounded(text, name)
        case .null?: return nil
        default: throw wrong(name, "a string or null", value)
        }
    }

    private func bounded(_ text: String, _ name: String) throws(MalformedMessage) -> String {
        guard text.utf8.count <= Self.maximumTextBytes else {
            throw MalformedMessage(
                "\(path(name)) has \(text.utf8.count) bytes; \(Self.maximumTextBytes) are the limit")
        }
        return text
    }

    /// A moment, with its text as written.
    func time(_ name: String) throws(MalformedMessage) -> (Timestamp, written: String) {
        let value = object[name]
        guard case .string(let text)? = value, let time = Timestamp(text) else {
            throw wrong(name, "a time as in \"2026-01-07T10:30:00Z\"", value)
        }
        return (time, text)
    }

    /// Refuses a status that is none of `known`.
    func status(oneOf known: String...) throws(MalformedMessage) -> String {
        let value = object["status"]
        guard case .string(let text)? = value, known.contains(text) else {
            var choices = ""
            for word in known { choices += choices.isEmpty ? "\"\(word)\"" : " or \"\(word)\"" }
            throw wrong("status", choices, value)
        }
        return text
    }

    func items() throws(MalformedMessage) -> [MessageFields] {
        let value = object["items"]
        guard case .array(let elements)? = value else { throw wrong("items", "a list", value) }
        var items: [MessageFields] = []
        items.reserveCapacity(elements.count)
        for element in elements {
            guard case .object(let object) = element else { throw wrong("items[\(items.count)]", "an object", element) }
            items.append(MessageFields(object, item: items.count))
        }
        return items
    }

    func wrong(_ name: String, _ expectation: String, _ found: JSON?) -> MalformedMessage {
        let path = path(name)
        guard let found else { return MalformedMessage("\(path) is missing: expected \(expectation)") }
        return MalformedMessage("\(path): expected \(expectation), found \(Self.described(found))")
    }

    private func path(_ name: String) -> String { item.map { "items[\($0)].\(name)" } ?? name }

    private static func described(_ value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let number): "the number \(PrintableText.of(number.text, limit: 40))"
        case .string(let text): "the string \"\(PrintableText.of(text, limit: 40))\""
        case .array: "a list"
        case .object: "an object"
        }
    }
}
