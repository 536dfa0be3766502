internal import COpenSSL

/// A SHA-256 digest that is computed as the bytes come (FIPS 180-4), by OpenSSL.
struct SHA256 {
    private var state: actorbus_sha256

    init() {
        state = actorbus_sha256()
        unsafe actorbus_sha256_begin(&state)
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0, let base = bytes.baseAddress else { return }
        unsafe actorbus_sha256_add(&state, base, bytes.count)
    }

    /// The digest of all that was added, as 64 hexadecimal digits.
    consuming func finish() -> String {
        var result = [UInt8](repeating: 0, count: 32)
        unsafe actorbus_sha256_end(&state, &result)
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: result.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    static func digest(of bytes: [UInt8]) -> String {
        var digest = SHA256()
        unsafe bytes.withUnsafeBytes { unsafe digest.add($0) }
        return digest.finish()
    }
}
