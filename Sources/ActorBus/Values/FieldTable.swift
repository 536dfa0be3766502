/// A field table: the named values of message headers, and of the arguments of queues, exchanges, bindings and
/// consumers (AMQP 0-9-1 section 4.2.5.5, with RabbitMQ's type letters).
///
/// A key has at most 255 bytes of UTF-8. Tables and arrays may stand in one another 32 deep; RabbitMQ itself has no
/// limit, and a deeper table is refused before it is sent or decoded, since decoding it would exhaust a thread's stack.
public typealias FieldTable = [String: FieldValue]

/// One value of a ``FieldTable``.
public enum FieldValue: Sendable, Hashable {
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
