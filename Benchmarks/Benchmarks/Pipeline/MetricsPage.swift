#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a service shows at /metrics.
struct MetricsPage: Sendable {
    private let values: [(name: String, labels: String, value: Double)]

    init(_ text: String) {
        values = text.split(whereSeparator: \.isNewline).compactMap { line in
            guard line.first != "#", let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else { return nil }
            let series = line[..<space]
            let name = series.prefix { $0 != "{" }
            return (String(name), String(series.dropFirst(name.count)), value)
        }
    }

    /// The sum of all series of the name that have the label.
    func sum(_ name: String, label: String = "") -> Double {
        values.filter { $0.name == name && (label.isEmpty || $0.labels.contains(label)) }.reduce(0) { $0 + $1.value }
    }

    func sum(_ name: String, label: String = "") -> Int { Int(sum(name, label: label) as Double) }

    /// The histogram of the name.
    func buckets(_ name: String) -> LatencyBuckets {
        let counts = values.filter { $0.name == name + "_bucket" }.compactMap { series -> (Double, Double)? in
            let bound = series.labels.split(separator: "le=\"").last?.prefix { $0 != "\"" } ?? ""
            return bound == "+Inf" ? (.infinity, series.value) : Double(bound).map { ($0, series.value) }
        }
        return LatencyBuckets(cumulative: counts.map { (bound: $0.0, count: $0.1) }, sum: sum(name + "_sum"))
    }

    /// Asks a service; nil when nobody answers on the port, or not in two seconds.
    ///
    /// It blocks: whoever asks has nothing else to do meanwhile.
    static func fetch(_ port: UInt16) -> MetricsPage? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard connected == 0, unsafe send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
        else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { break }
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.hasPrefix("HTTP/1.1 200") ? MetricsPage(text) : nil
    }
}
