package import ActorBus

extension JSONWriter {
    /// A field table as an object, its members by name.
    package mutating func table(_ table: FieldTable) {
        beginObject()
        for (name, value) in table.sorted(by: { $0.key < $1.key }) {
            member(name)
            field(value)
        }
        endObject()
    }

    /// A number, or `null` for what JSON has no number for.
    private mutating func number(_ number: Double) {
        if number.isFinite { self.number(text: number.description) } else { null() }
    }

    private mutating func field(_ value: FieldValue) {
        switch value {
        case .bool(let value): bool(value)
        case .float(let value): number(Double(value))
        case .double(let value): number(value)
        case .decimal(let scale, let value):
            var divisor = 1.0
            for _ in 0..<scale { divisor *= 10 }
            number(Double(value) / divisor)
        case .string(let text): string(text)
        case .bytes(let bytes): string(Hexadecimal.text(bytes))
        case .timestamp(let seconds): whole(seconds)
        case .array(let values):
            beginArray()
            for value in values { field(value) }
            endArray()
        case .table(let inner): table(inner)
        case .void: null()
        case .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64: whole(value.integer ?? 0)
        }
    }
}

/// Bytes as digits, for what is no text.
package enum Hexadecimal {
    package static func text(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
