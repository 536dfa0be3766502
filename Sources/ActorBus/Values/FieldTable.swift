/// A field table: the named values of message headers, and of the arguments of queues, exchanges, bindings and
/// consumers (AMQP 0-9-1 section 4.2.5.5, with RabbitMQ's type letters).
///
/// Names are compared byte for byte, as brokers do, where `String` would take canonically equivalent ones (`é` written as
/// one scalar or as two) for the same. Values keep the order that they were added or came in; two tables are equal when
/// they have the same names with the same values, in whatever order.
///
/// A key has at most 255 bytes of UTF-8. Tables and arrays may stand in one another 32 deep; RabbitMQ itself has no
/// limit, and a deeper table is refused before it is sent or decoded, since decoding it would exhaust a thread's stack.
public struct FieldTable: Sendable {
    private var entries: [Element] = []

    public init() {}

    init(minimumCapacity: Int) { entries.reserveCapacity(minimumCapacity) }

    /// The value of a name; nil removes it. Of a name that came twice over the wire the last value is taken, and
    /// setting it leaves one.
    public subscript(key: String) -> FieldValue? {
        get { entries.last { $0.key.hasSameBytes(as: key) }?.value }
        set {
            guard let newValue else { return entries.removeAll { $0.key.hasSameBytes(as: key) } }
            guard let last = entries.lastIndex(where: { $0.key.hasSameBytes(as: key) }) else {
                return entries.append((key, newValue))
            }
            entries[last].value = newValue
            if entries[..<last].contains(where: { $0.key.hasSameBytes(as: key) }) {
                let kept = entries[last]
                entries.removeAll { $0.key.hasSameBytes(as: key) }
                entries.append(kept)
            }
        }
    }

    /// Takes a name out; returns its value.
    @discardableResult
    public mutating func removeValue(forKey key: String) -> FieldValue? {
        defer { self[key] = nil }
        return self[key]
    }

    /// The names, in order.
    public var keys: [String] { entries.map { $0.key } }

    /// Adds a value as it came, without a look at the others.
    mutating func append(_ key: String, _ value: FieldValue) { entries.append((key, value)) }

    /// In the order of the names' bytes; values of one name stay in their order.
    private var sorted: [Element] {
        entries.indices.sorted { left, right in
            let (first, second) = (entries[left].key, entries[right].key)
            if first.utf8.lexicographicallyPrecedes(second.utf8) { return true }
            return left < right && first.hasSameBytes(as: second)
        }.map { entries[$0] }
    }
}

extension FieldTable: RandomAccessCollection {
    public typealias Element = (key: String, value: FieldValue)

    public var startIndex: Int { 0 }
    public var endIndex: Int { entries.count }
    public subscript(position: Int) -> Element { entries[position] }
}

extension FieldTable: ExpressibleByDictionaryLiteral {
    /// Of a name that stands twice the last value is kept.
    public init(dictionaryLiteral elements: (String, FieldValue)...) {
        entries.reserveCapacity(elements.count)
        for (key, value) in elements { self[key] = value }
    }
}

extension FieldTable: Hashable {
    public static func == (left: FieldTable, right: FieldTable) -> Bool {
        guard left.count == right.count else { return false }
        func areSame(_ left: [Element], _ right: [Element]) -> Bool {
            left.elementsEqual(right) { $0.key.hasSameBytes(as: $1.key) && $0.value == $1.value }
        }
        return areSame(left.entries, right.entries) || areSame(left.sorted, right.sorted)
    }

    public func hash(into hasher: inout Hasher) {
        for (key, value) in sorted {
            hasher.combine(key)
            hasher.combine(value)
        }
    }
}

extension FieldTable: CustomStringConvertible {
    public var description: String {
        entries.isEmpty ? "[:]" : "[" + entries.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "]"
    }
}

extension String {
    /// Whether both are the same bytes in UTF-8, as names on the wire are compared. `==` also takes canonically equivalent
    /// texts for equal.
    package func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}

extension String? {
    func hasSameBytes(as other: String?) -> Bool {
        switch (self, other) {
        case (nil, nil): true
        case (let text?, let other?): text.hasSameBytes(as: other)
        default: false
        }
    }
}

/// One value of a ``FieldTable``.
public enum FieldValue: Sendable {
    case bool(Bool)
    case int8(Int8)
    case uint8(UInt8)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case float(Float)
    case double(Double)
    /// `value` divided by ten to the power of `scale`.
    case decimal(scale: UInt8, value: UInt32)
    case string(String)
    /// Bytes that are not text: the wire's `x`, and a long string that is no UTF-8.
    case bytes([UInt8])
    /// Seconds since 1970.
    case timestamp(UInt64)
    case array([FieldValue])
    case table(FieldTable)
    case void

    /// How deep tables and arrays may stand in one another.
    static let maximumDepth = 32
    /// How many values a table may have, those of tables and arrays in it included, to be decoded: in memory each takes
    /// many times of what it takes on the wire.
    static let maximumCount = 1 << 16
}

extension FieldValue: Hashable {
    /// Whether both are the same on the wire: texts byte for byte, and numbers bit for bit.
    public static func == (left: FieldValue, right: FieldValue) -> Bool {
        switch (left, right) {
        case (.bool(let left), .bool(let right)): left == right
        case (.int8(let left), .int8(let right)): left == right
        case (.uint8(let left), .uint8(let right)): left == right
        case (.int16(let left), .int16(let right)): left == right
        case (.uint16(let left), .uint16(let right)): left == right
        case (.int32(let left), .int32(let right)): left == right
        case (.uint32(let left), .uint32(let right)): left == right
        case (.int64(let left), .int64(let right)): left == right
        case (.float(let left), .float(let right)): left.bitPattern == right.bitPattern
        case (.double(let left), .double(let right)): left.bitPattern == right.bitPattern
        case (.decimal(let scale, let value), .decimal(let otherScale, let otherValue)):
            scale == otherScale && value == otherValue
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.bytes(let left), .bytes(let right)): left == right
        case (.timestamp(let left), .timestamp(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.table(let left), .table(let right)): left == right
        case (.void, .void): true
        default: false
        }
    }
}

extension FieldValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int64(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension FieldValue {
    /// The text of a string value, nil for any other type.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The value of any integer type and of a time stamp, nil for any other type or a time stamp above `Int64.max`.
    public var integer: Int64? {
        switch self {
        case .int8(let value): Int64(value)
        case .uint8(let value): Int64(value)
        case .int16(let value): Int64(value)
        case .uint16(let value): Int64(value)
        case .int32(let value): Int64(value)
        case .uint32(let value): Int64(value)
        case .int64(let value): value
        case .timestamp(let value): Int64(exactly: value)
        default: nil
        }
    }
}
