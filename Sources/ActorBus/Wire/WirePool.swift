internal import CRabbitMQ

/// The memory that rabbitmq-c decodes into and that encoding builds its tables in: a bump allocator, given back as a
/// whole after each frame.
@safe final class WirePool {
    private let pool: UnsafeMutablePointer<amqp_pool_t>

    init() {
        unsafe pool = .allocate(capacity: 1)
        unsafe pool.initialize(to: amqp_pool_t())
        unsafe init_amqp_pool(pool, 4096)
    }

    deinit {
        unsafe empty_amqp_pool(pool)
        unsafe pool.deallocate()
    }

    /// Takes everything back. No pointer got from this pool may be used after it.
    func recycle() { unsafe recycle_amqp_pool(pool) }

    /// Decodes a method frame's payload after its number; nil when it is malformed.
    func decodeMethod(_ number: UInt32, _ payload: UnsafeRawBufferPointer) -> UnsafeMutableRawPointer? {
        var decoded: UnsafeMutableRawPointer?
        let status = unsafe amqp_decode_method(number, pool, bytes(over: payload), &decoded)
        return status == 0 ? unsafe decoded : nil
    }

    /// Decodes the property list of class `basic`, flags first; nil when it is malformed.
    func decodeBasicProperties(_ payload: UnsafeRawBufferPointer) -> UnsafeMutablePointer<amqp_basic_properties_t>? {
        var decoded: UnsafeMutableRawPointer?
        let status = unsafe amqp_decode_properties(UInt16(AMQP_BASIC_CLASS), pool, bytes(over: payload), &decoded)
        return status == 0 ? unsafe decoded?.assumingMemoryBound(to: amqp_basic_properties_t.self) : nil
    }

    /// A copy of the text's UTF-8 that lives until `recycle`.
    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { unsafe copy(UnsafeRawBufferPointer($0)) }
    }

    /// A copy of `source` that lives until `recycle`.
    func copy(_ source: UnsafeRawBufferPointer) -> amqp_bytes_t {
        guard source.count > 0, let base = source.baseAddress else { return unsafe amqp_bytes_t(len: 0, bytes: nil) }
        guard let target = unsafe amqp_pool_alloc(pool, source.count) else {
            return unsafe amqp_bytes_t(len: 0, bytes: nil)
        }
        unsafe target.copyMemory(from: base, byteCount: source.count)
        return unsafe amqp_bytes_t(len: source.count, bytes: target)
    }

    /// Room for `count` values of a C type, zeroed, until `recycle`; nil for none.
    func allocate<Value>(_ type: Value.Type, count: Int) -> UnsafeMutablePointer<Value>? {
        guard count > 0 else { return nil }
        let size = count * MemoryLayout<Value>.stride
        guard let memory = unsafe amqp_pool_alloc(pool, size) else { return nil }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        return unsafe memory.bindMemory(to: Value.self, capacity: count)
    }

    private func bytes(over buffer: UnsafeRawBufferPointer) -> amqp_bytes_t {
        unsafe amqp_bytes_t(len: buffer.count, bytes: UnsafeMutableRawPointer(mutating: buffer.baseAddress))
    }
}

extension amqp_bytes_t {
    /// The bytes as text. In what is no UTF-8, which a peer may send, each fault becomes a `?`: never longer than it
    /// was, so that it can be sent on within AMQP's 255 bytes.
    var text: String {
        guard unsafe len > 0, let bytes = unsafe bytes else { return "" }
        let raw = unsafe UnsafeRawBufferPointer(start: bytes, count: len)
        if unsafe raw.allSatisfy({ $0 < 0x80 }) { return unsafe String(decoding: raw, as: UTF8.self) }
        if let text = unsafe String(validating: raw, as: UTF8.self) { return text }
        var repaired = String.UnicodeScalarView()
        for scalar in unsafe String(decoding: raw, as: UTF8.self).unicodeScalars {
            repaired.append(scalar == "\u{FFFD}" ? "?" : scalar)
        }
        return String(repaired)
    }

    var array: [UInt8] {
        guard unsafe len > 0, let bytes = unsafe bytes else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: len))
    }
}
