/// The members of a message's JSON object, read by name and type, with errors that name the field.
struct MessageFields {
    /// No body larger than this is looked at.
    static let maximumBytes = 1 << 20
    /// No longer address is taken on: it is copied from message to message, and grows as it is escaped, and the next
    /// body must stay below that limit.
    static let maximumAddressBytes = 1 << 16

    private let object: JSONObject
    /// Where this object stands in the message: nil for the message itself, else its place in `items`.
    private let item: Int?

    init(message body: [UInt8]) throws(MalformedMessage) {
        if body.isEmpty { throw MalformedMessage("the body is empty") }
        if body.count > Self.maximumBytes {
            throw MalformedMessage("the body has \(body.count) bytes; \(Self.maximumBytes) are the limit")
        }
        if let words = BodyFormat.words(for: body) { throw MalformedMessage(words) }
        let value = try Self.json { () throws(JSONError) in try JSONReader.read(body) }
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
        let value = try value(name)
        guard case .number(let number)? = value, let whole = number.wholeNumber else {
            throw wrong(name, "a whole number of 64 bits", value)
        }
        return whole
    }

    /// A whole number that is not below zero.
    func count(_ name: String) throws(MalformedMessage) -> Int64 {
        let value = try value(name)
        guard case .number(let number)? = value, let whole = number.wholeNumber, whole >= 0 else {
            throw wrong(name, "a whole number of 64 bits, 0 or more", value)
        }
        return whole
    }

    func money(_ name: String) throws(MalformedMessage) -> Money {
        let value = try value(name)
        guard case .number(let number)? = value, let money = Money(number) else {
            throw wrong(name, "an amount from 0 to 1000000.00 in whole cents", value)
        }
        return money
    }

    /// A number of seconds, in hundredths of a second.
    func hundredths(_ name: String) throws(MalformedMessage) -> Int64 {
        let value = try value(name)
        guard case .number(let number)? = value, let hundredths = number.rounded(decimals: 2) else {
            throw wrong(name, "a number of seconds", value)
        }
        return hundredths
    }

    func string(_ name: String) throws(MalformedMessage) -> String {
        let value = try value(name)
        guard case .string(let text)? = value else { throw wrong(name, "a string", value) }
        return text
    }

    func stringOrNull(_ name: String) throws(MalformedMessage) -> String? {
        let value = try value(name)
        switch value {
        case .string(let text)?: return text
        case .null?: return nil
        default: throw wrong(name, "a string or null", value)
        }
    }

    /// A customer's address: a line break in it would begin a header line of whatever is sent there.
    func address(_ name: String) throws(MalformedMessage) -> String {
        let text = try string(name)
        guard text.utf8.count <= Self.maximumAddressBytes else {
            throw MalformedMessage(
                "\(path(name)) has \(text.utf8.count) bytes; \(Self.maximumAddressBytes) are the limit")
        }
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x00...0x1F, 0x7F...0x9F:
                let code = String(scalar.value, radix: 16, uppercase: true)
                throw MalformedMessage(
                    "\(path(name)): expected an address without control characters, found U+00"
                        + (code.utf8.count < 2 ? "0" : "") + code)
            default: break
            }
        }
        return text
    }

    /// A currency's code: three capital letters, as in ISO 4217.
    func currency(_ name: String) throws(MalformedMessage) -> String {
        let value = try value(name)
        guard case .string(let code)? = value, code.utf8.count == 3,
            code.utf8.allSatisfy({ UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 })
        else { throw wrong(name, "a currency of three capital letters, as in \"EUR\"", value) }
        return code
    }

    /// A moment, with its text as written.
    func time(_ name: String) throws(MalformedMessage) -> (Timestamp, written: String) {
        let value = try value(name)
        guard case .string(let text)? = value, let time = Timestamp(text) else {
            throw wrong(name, "a time as in \"2026-01-07T10:30:00Z\"", value)
        }
        return (time, text)
    }

    /// Refuses a status that is none of `known`.
    func status(oneOf known: String...) throws(MalformedMessage) -> String {
        let value = try value("status")
        guard case .string(let text)? = value, known.contains(text) else {
            var choices = ""
            for word in known { choices += choices.isEmpty ? "\"\(word)\"" : " or \"\(word)\"" }
            throw wrong("status", choices, value)
        }
        return text
    }

    /// The objects of the list `items`, each made into an `Item` before the next one is read.
    func items<Item>(
        _ read: (MessageFields) throws(MalformedMessage) -> Item
    ) throws(MalformedMessage) -> [Item] {
        let value = try value("items")
        guard case .array(var elements)? = value else { throw wrong("items", "a list", value) }
        var items: [Item] = []
        while let element = try Self.json({ () throws(JSONError) in try elements.next() }) {
            guard case .object(let object) = element else { throw wrong("items[\(items.count)]", "an object", element) }
            items.append(try read(MessageFields(object, item: items.count)))
        }
        return items
    }

    private func value(_ name: String) throws(MalformedMessage) -> JSON? {
        try Self.json { () throws(JSONError) in try object[name] }
    }

    /// What is no JSON is malformed.
    private static func json<Value>(_ read: () throws(JSONError) -> Value) throws(MalformedMessage) -> Value {
        do {
            return try read()
        } catch {
            throw MalformedMessage(error.description)
        }
    }

    private func wrong(_ name: String, _ expectation: String, _ found: JSON?) -> MalformedMessage {
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
