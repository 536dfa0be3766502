internal import CRabbitMQ

/// Field tables between Swift and rabbitmq-c's C values.
///
/// Decoding by rabbitmq-c recurses, so the depth of what a peer sent is checked by ``EncodedTable`` before it is
/// decoded.
enum TableCodec {
    /// The table as C values in `pool`. Throws for a key over 255 bytes (rabbitmq-c would cut it off without a word)
    /// and for tables that stand too deep in one another.
    static func encode(_ table: FieldTable, in pool: WirePool, depth: Int = 0) throws(AMQPError) -> amqp_table_t {
        guard depth < FieldValue.maximumDepth else { throw tooDeep }
        guard !table.isEmpty else { return unsafe amqp_table_t() }
        guard let entries = unsafe pool.allocate(amqp_table_entry_t.self, count: table.count) else { throw noMemory }
        var index = 0
        for (key, value) in table {
            guard key.utf8.count <= 255 else {
                throw AMQPError(
                    .invalidMessage, "the key '\(key.prefix(40))…' of a field table has \(key.utf8.count) bytes",
                    remedy: "keys have at most 255 bytes")
            }
            unsafe entries[index].key = pool.bytes(key)
            unsafe entries[index].value = try encode(value, in: pool, depth: depth + 1)
            index += 1
        }
        return unsafe amqp_table_t(num_entries: Int32(table.count), entries: entries)
    }

    private static func encode(
        _ value: FieldValue, in pool: WirePool, depth: Int
    ) throws(AMQPError) -> amqp_field_value_t {
        var encoded = unsafe amqp_field_value_t()
        switch value {
        case .bool(let bool):
            unsafe encoded.kind = Kind.boolean
            unsafe encoded.value.boolean = bool ? 1 : 0
        case .int8(let int):
            unsafe encoded.kind = Kind.int8
            unsafe encoded.value.i8 = int
        case .uint8(let int):
            unsafe encoded.kind = Kind.uint8
            unsafe encoded.value.u8 = int
        case .int16(let int):
            unsafe encoded.kind = Kind.int16
            unsafe encoded.value.i16 = int
        case .uint16(let int):
            unsafe encoded.kind = Kind.uint16
            unsafe encoded.value.u16 = int
        case .int32(let int):
            unsafe encoded.kind = Kind.int32
            unsafe encoded.value.i32 = int
        case .uint32(let int):
            unsafe encoded.kind = Kind.uint32
            unsafe encoded.value.u32 = int
        case .int64(let int):
            unsafe encoded.kind = Kind.int64
            unsafe encoded.value.i64 = int
        case .float(let float):
            unsafe encoded.kind = Kind.float
            unsafe encoded.value.f32 = float
        case .double(let double):
            unsafe encoded.kind = Kind.double
            unsafe encoded.value.f64 = double
        case .decimal(let scale, let decimal):
            unsafe encoded.kind = Kind.decimal
            unsafe encoded.value.decimal = amqp_decimal_t(decimals: scale, value: decimal)
        case .string(let text):
            unsafe encoded.kind = Kind.string
            unsafe encoded.value.bytes = pool.bytes(text)
        case .bytes(let bytes):
            unsafe encoded.kind = Kind.bytes
            unsafe encoded.value.bytes = bytes.withUnsafeBytes { unsafe pool.copy($0) }
        case .timestamp(let seconds):
            unsafe encoded.kind = Kind.timestamp
            unsafe encoded.value.u64 = seconds
        case .array(let values):
            guard depth < FieldValue.maximumDepth else { throw tooDeep }
            unsafe encoded.kind = Kind.array
            var array = unsafe amqp_array_t()
            if !values.isEmpty {
                guard let entries = unsafe pool.allocate(amqp_field_value_t.self, count: values.count) else {
                    throw noMemory
                }
                for (index, value) in values.enumerated() {
                    unsafe entries[index] = try encode(value, in: pool, depth: depth + 1)
                }
                unsafe array = amqp_array_t(num_entries: Int32(values.count), entries: entries)
            }
            unsafe encoded.value.array = array
        case .table(let table):
            unsafe encoded.kind = Kind.table
            unsafe encoded.value.table = try encode(table, in: pool, depth: depth)
        case .void:
            unsafe encoded.kind = Kind.void
        }
        return unsafe encoded
    }

    /// A copy of a decoded table.
    static func decode(_ table: amqp_table_t) -> FieldTable {
        guard unsafe table.num_entries > 0, let entries = unsafe table.entries else { return [:] }
        var decoded = FieldTable(minimumCapacity: unsafe Int(table.num_entries))
        for index in unsafe 0..<Int(table.num_entries) {
            unsafe decoded.append(entries[index].key.text, decode(entries[index].value))
        }
        return decoded
    }

    private static func decode(_ value: amqp_field_value_t) -> FieldValue {
        switch unsafe value.kind {
        case Kind.boolean: unsafe .bool(value.value.boolean != 0)
        case Kind.int8: unsafe .int8(value.value.i8)
        case Kind.uint8: unsafe .uint8(value.value.u8)
        case Kind.int16: unsafe .int16(value.value.i16)
        case Kind.uint16: unsafe .uint16(value.value.u16)
        case Kind.int32: unsafe .int32(value.value.i32)
        case Kind.uint32: unsafe .uint32(value.value.u32)
        // RabbitMQ reads both letters, `l` and `L`, as signed.
        case Kind.int64: unsafe .int64(value.value.i64)
        case Kind.uint64: unsafe .int64(value.value.i64)
        case Kind.float: unsafe .float(value.value.f32)
        case Kind.double: unsafe .double(value.value.f64)
        case Kind.decimal: unsafe .decimal(scale: value.value.decimal.decimals, value: value.value.decimal.value)
        case Kind.string: unsafe string(value.value.bytes)
        case Kind.bytes: unsafe .bytes(value.value.bytes.array)
        case Kind.timestamp: unsafe .timestamp(value.value.u64)
        case Kind.array: unsafe .array(decode(value.value.array))
        case Kind.table: unsafe .table(decode(value.value.table))
        default: .void
        }
    }

    private static func decode(_ array: amqp_array_t) -> [FieldValue] {
        guard unsafe array.num_entries > 0, let entries = unsafe array.entries else { return [] }
        return unsafe (0..<Int(array.num_entries)).map { unsafe decode(entries[$0]) }
    }

    private static func string(_ bytes: amqp_bytes_t) -> FieldValue {
        let array = unsafe bytes.array
        return String(validating: array, as: UTF8.self).map { .string($0) } ?? .bytes(array)
    }

    private static var tooDeep: AMQPError {
        AMQPError(.invalidMessage, "a field table stands more than \(FieldValue.maximumDepth) deep in others")
    }

    private static var noMemory: AMQPError { AMQPError(.systemResource, "no memory to encode a field table") }

    private enum Kind {
        static let boolean = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
        static let int8 = UInt8(AMQP_FIELD_KIND_I8.rawValue)
        static let uint8 = UInt8(AMQP_FIELD_KIND_U8.rawValue)
        static let int16 = UInt8(AMQP_FIELD_KIND_I16.rawValue)
        static let uint16 = UInt8(AMQP_FIELD_KIND_U16.rawValue)
        static let int32 = UInt8(AMQP_FIELD_KIND_I32.rawValue)
        static let uint32 = UInt8(AMQP_FIELD_KIND_U32.rawValue)
        static let int64 = UInt8(AMQP_FIELD_KIND_I64.rawValue)
        static let uint64 = UInt8(AMQP_FIELD_KIND_U64.rawValue)
        static let float = UInt8(AMQP_FIELD_KIND_F32.rawValue)
        static let double = UInt8(AMQP_FIELD_KIND_F64.rawValue)
        static let decimal = UInt8(AMQP_FIELD_KIND_DECIMAL.rawValue)
        static let string = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
        static let bytes = UInt8(AMQP_FIELD_KIND_BYTES.rawValue)
        static let timestamp = UInt8(AMQP_FIELD_KIND_TIMESTAMP.rawValue)
        static let array = UInt8(AMQP_FIELD_KIND_ARRAY.rawValue)
        static let table = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
        static let void = UInt8(AMQP_FIELD_KIND_VOID.rawValue)
    }
}
