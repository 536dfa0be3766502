internal import CRabbitMQ
internal import Glibc

/// Keeps the texts that come again with nearly every delivery (exchange, routing key, content type), so that each costs
/// a comparison and no allocation.
final class NameCache {
    private var recent: [(bytes: [UInt8], text: String)] = []
    private var next = 0

    func text(_ bytes: amqp_bytes_t) -> String {
        guard unsafe bytes.len > 0, let base = unsafe bytes.bytes else { return "" }
        let length = unsafe bytes.len
        for known in recent where known.bytes.count == length {
            if unsafe known.bytes.withUnsafeBytes({ unsafe memcmp($0.baseAddress!, base, length) }) == 0 {
                return known.text
            }
        }
        let name = (bytes: unsafe bytes.array, text: unsafe bytes.text)
        if recent.count < 16 {
            recent.append(name)
        } else {
            recent[next] = name
            next = (next + 1) % recent.count
        }
        return name.text
    }
}
