internal import ActorBus

/// Values as Erlang prints them, since RabbitMQ's reply texts hold them.
enum ErlangTerm {
    /// The name that RabbitMQ has for the type of a field value.
    static func typeName(_ value: FieldValue) -> String {
        switch value {
        case .bool: "bool"
        case .int8: "byte"
        case .uint8: "unsignedbyte"
        case .int16: "short"
        case .uint16: "unsignedshort"
        case .int32: "signedint"
        case .uint32: "unsignedint"
        case .int64: "long"
        case .float: "float"
        case .double: "double"
        case .decimal: "decimal"
        case .string: "longstr"
        case .bytes: "binary"
        case .timestamp: "timestamp"
        case .array: "array"
        case .table: "table"
        case .void: "void"
        }
    }

    /// An integer argument's value; nil for what RabbitMQ does not count among the integers, such as a time stamp.
    static func integer(_ value: FieldValue) -> Int64? {
        if case .timestamp = value { nil } else { value.integer }
    }

    /// A value without its type, for texts such as `received '5'`.
    static func value(_ value: FieldValue) -> String {
        switch value {
        case .string(let text): text
        case .bool(let bool): bool ? "true" : "false"
        case .void: "undefined"
        default: value.integer.map { "\($0)" } ?? "\(value)"
        }
    }
}
