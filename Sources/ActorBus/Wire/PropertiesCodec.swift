internal import CRabbitMQ

/// The property list of a content header, between ``MessageProperties`` and the wire.
enum PropertiesCodec {
    /// Writes flags and properties to `target`; returns how many bytes, or nil when they do not fit.
    static func encode(
        _ properties: MessageProperties, into target: UnsafeMutableRawBufferPointer, pool: WirePool
    ) throws(AMQPError) -> Int? {
        let properties = properties.all
        var encoded = unsafe amqp_basic_properties_t()
        var flags: amqp_flags_t = 0
        /// A text property: nil is left out, a long one refused, since rabbitmq-c would notice only halfway.
        func text(_ value: String?, _ flag: Int32, _ name: StaticString) throws(AMQPError) -> amqp_bytes_t {
            guard let value else { return unsafe amqp_bytes_t() }
            try ShortString.check(value, name)
            flags |= amqp_flags_t(flag)
            return unsafe pool.bytes(value)
        }
        unsafe encoded.content_type = try text(properties.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG, "content type")
        unsafe encoded.content_encoding = try text(
            properties.contentEncoding, AMQP_BASIC_CONTENT_ENCODING_FLAG, "content encoding")
        if !properties.headers.isEmpty {
            flags |= amqp_flags_t(AMQP_BASIC_HEADERS_FLAG)
            unsafe encoded.headers = try TableCodec.encode(properties.headers, in: pool)
        }
        if let deliveryMode = properties.deliveryMode {
            flags |= amqp_flags_t(AMQP_BASIC_DELIVERY_MODE_FLAG)
            unsafe encoded.delivery_mode = deliveryMode.rawValue
        }
        if let priority = properties.priority {
            flags |= amqp_flags_t(AMQP_BASIC_PRIORITY_FLAG)
            unsafe encoded.priority = priority
        }
        unsafe encoded.correlation_id = try text(
            properties.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG, "correlation id")
        unsafe encoded.reply_to = try text(properties.replyTo, AMQP_BASIC_REPLY_TO_FLAG, "reply-to")
        unsafe encoded.expiration = try text(properties.expiration, AMQP_BASIC_EXPIRATION_FLAG, "expiration")
        unsafe encoded.message_id = try text(properties.messageID, AMQP_BASIC_MESSAGE_ID_FLAG, "message id")
        if let timestamp = properties.timestamp {
            flags |= amqp_flags_t(AMQP_BASIC_TIMESTAMP_FLAG)
            unsafe encoded.timestamp = timestamp
        }
        unsafe encoded.type = try text(properties.type, AMQP_BASIC_TYPE_FLAG, "type")
        unsafe encoded.user_id = try text(properties.userID, AMQP_BASIC_USER_ID_FLAG, "user id")
        unsafe encoded.app_id = try text(properties.appID, AMQP_BASIC_APP_ID_FLAG, "app id")
        unsafe encoded._flags = flags

        let space = unsafe amqp_bytes_t(len: target.count, bytes: target.baseAddress)
        let length = unsafe withUnsafeMutablePointer(to: &encoded) {
            unsafe amqp_encode_properties(UInt16(AMQP_BASIC_CLASS), $0, space)
        }
        return length < 0 ? nil : Int(length)
    }

    /// Decodes a property list. Headers that are malformed or too deep are left out, with the reason in `headersFault`,
    /// so that a poisonous message can still be handed out and put aside; nil when nothing can be read.
    static func decode(
        _ payload: UnsafeRawBufferPointer, pool: WirePool, names: NameCache
    ) -> (properties: MessageProperties, headersFault: String?)? {
        guard payload.count >= 2 else { return nil }
        // A second word of flags has no use in AMQP 0-9-1, and moves the table from where it is looked for.
        guard unsafe payload[1] & 1 == 0 else {
            return (
                MessageProperties(deliveryMode: nil),
                "the message's properties have flags that AMQP 0-9-1 does not know"
            )
        }
        guard let headers = unsafe headers(in: payload) else {
            return unsafe decodeChecked(payload, pool: pool, names: names).map { ($0, nil) }
        }
        let table = unsafe UnsafeRawBufferPointer(rebasing: payload[headers...])
        guard let fault = unsafe EncodedTable.fault(in: table) else {
            return unsafe decodeChecked(payload, pool: pool, names: names).map { ($0, nil) }
        }
        let reason = "the message's headers cannot be decoded: \(fault)"
        guard let size = unsafe EncodedTable.size(in: table) else {
            return (MessageProperties(deliveryMode: nil), reason)
        }
        var rest = unsafe Array(payload[..<headers])
        unsafe rest.append(contentsOf: payload[(headers + size)...])
        rest[0] &= ~UInt8(AMQP_BASIC_HEADERS_FLAG >> 8)
        let properties = unsafe rest.withUnsafeBytes { unsafe decodeChecked($0, pool: pool, names: names) }
        return (properties ?? MessageProperties(deliveryMode: nil), reason)
    }

    /// Where the header table begins, or nil when there is none. Only two short strings can stand before it.
    private static func headers(in payload: UnsafeRawBufferPointer) -> Int? {
        let flags = unsafe Int32(payload[0]) << 8 | Int32(payload[1])
        guard flags & AMQP_BASIC_HEADERS_FLAG != 0 else { return nil }
        var position = 2
        for flag in [AMQP_BASIC_CONTENT_TYPE_FLAG, AMQP_BASIC_CONTENT_ENCODING_FLAG] where flags & flag != 0 {
            guard position < payload.count else { return nil }
            position += 1 + Int(unsafe payload[position])
        }
        return position <= payload.count ? position : nil
    }

    private static func decodeChecked(
        _ payload: UnsafeRawBufferPointer, pool: WirePool, names: NameCache
    ) -> MessageProperties? {
        guard let decoded = unsafe pool.decodeBasicProperties(payload) else { return nil }
        let flags = unsafe Int32(decoded.pointee._flags)
        func text(_ flag: Int32, _ bytes: amqp_bytes_t) -> String? { flags & flag == 0 ? nil : unsafe bytes.text }
        /// A text that is most likely the same as in the message before.
        func name(_ flag: Int32, _ bytes: amqp_bytes_t) -> String? {
            flags & flag == 0 ? nil : unsafe names.text(bytes)
        }
        var fields = MessageProperties.Fields()
        unsafe fields.contentType = name(AMQP_BASIC_CONTENT_TYPE_FLAG, decoded.pointee.content_type)
        unsafe fields.contentEncoding = name(AMQP_BASIC_CONTENT_ENCODING_FLAG, decoded.pointee.content_encoding)
        if flags & AMQP_BASIC_HEADERS_FLAG != 0 {
            unsafe fields.headers = TableCodec.decode(decoded.pointee.headers)
        }
        if flags & AMQP_BASIC_DELIVERY_MODE_FLAG != 0 {
            fields.deliveryMode = unsafe .init(rawValue: decoded.pointee.delivery_mode)
        }
        if flags & AMQP_BASIC_PRIORITY_FLAG != 0 { fields.priority = unsafe decoded.pointee.priority }
        unsafe fields.correlationID = text(AMQP_BASIC_CORRELATION_ID_FLAG, decoded.pointee.correlation_id)
        unsafe fields.replyTo = text(AMQP_BASIC_REPLY_TO_FLAG, decoded.pointee.reply_to)
        unsafe fields.expiration = text(AMQP_BASIC_EXPIRATION_FLAG, decoded.pointee.expiration)
        unsafe fields.messageID = text(AMQP_BASIC_MESSAGE_ID_FLAG, decoded.pointee.message_id)
        if flags & AMQP_BASIC_TIMESTAMP_FLAG != 0 { fields.timestamp = unsafe decoded.pointee.timestamp }
        unsafe fields.type = name(AMQP_BASIC_TYPE_FLAG, decoded.pointee.type)
        unsafe fields.userID = name(AMQP_BASIC_USER_ID_FLAG, decoded.pointee.user_id)
        unsafe fields.appID = name(AMQP_BASIC_APP_ID_FLAG, decoded.pointee.app_id)
        return MessageProperties(fields)
    }
}

/// AMQP's short string: at most 255 bytes, no zero among them (AMQP 0-9-1 section 4.2.5.3).
enum ShortString {
    static func check(_ value: String, _ name: StaticString) throws(AMQPError) {
        guard value.utf8.count <= 255 else {
            throw AMQPError(
                .invalidMessage, "the \(name) '\(value.prefix(40))…' has \(value.utf8.count) bytes",
                remedy: "AMQP allows 255")
        }
    }
}
