/// A format that a body may have in place of JSON, told by its first bytes, so that its sender can be told what to mend.
enum BodyFormat {
    /// What the body is, in words for a person; nil where its beginning says nothing.
    static func words(for body: [UInt8]) -> String? {
        byteOrderMark(body) ?? section(body)
    }

    private static func byteOrderMark(_ body: [UInt8]) -> String? {
        // The longer ones first, since UTF-32's begins with UTF-16's.
        if body.starts(with: [0xEF, 0xBB, 0xBF]) {
            return "the body begins with a byte order mark (EF BB BF), which JSON must not have"
        }
        if body.starts(with: [0xFF, 0xFE, 0, 0]) || body.starts(with: [0, 0, 0xFE, 0xFF]) {
            return "the body begins with the byte order mark of UTF-32; JSON is UTF-8, without a mark"
        }
        if body.starts(with: [0xFF, 0xFE]) || body.starts(with: [0xFE, 0xFF]) {
            return "the body begins with the byte order mark of UTF-16; JSON is UTF-8, without a mark"
        }
        return nil
    }

    /// AMQP 1.0, section 3.2: a described type (00) whose descriptor is a small (53) or a whole (80) unsigned long.
    ///
    /// RabbitMQ takes the binary out of a data section for consumers of AMQP 0-9-1, and hands the other kinds of a body
    /// over as they are encoded.
    private static func section(_ body: [UInt8]) -> String? {
        let code: UInt8
        if body.starts(with: [0, 0x53]), body.count > 2 {
            code = body[2]
        } else if body.starts(with: [0, 0x80, 0, 0, 0, 0, 0, 0, 0]), body.count > 9 {
            code = body[9]
        } else {
            return nil
        }
        let name: String
        switch code {
        case 0x70: name = "header"
        case 0x71: name = "delivery-annotations"
        case 0x72: name = "message-annotations"
        case 0x73: name = "properties"
        case 0x74: name = "application-properties"
        case 0x75: name = "data"
        case 0x76: name = "amqp-sequence"
        case 0x77: name = "amqp-value"
        case 0x78: name = "footer"
        default: return nil
        }
        return "the body is an AMQP 1.0 section (\(name)) and not JSON; an AMQP 1.0 client has to send JSON as data"
    }
}
