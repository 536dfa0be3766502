/// One piece of work, as every contender takes it from its environment.
struct WorkOrder: Sendable {
    enum Work: String, Sendable {
        case publish, confirm, consume, latency, idle, delete
        /// As `confirm`, from one task that does not wait for each message; the other clients have no such thing.
        case send
    }

    var work: Work
    /// Where the broker is, with the login.
    var broker: Broker
    var count = 0
    /// Of a body, in bytes.
    var size = 256
    /// Messages unconfirmed at once, over all connections.
    var window = 1
    var prefetch = 1
    var connections = 1
    var exchange = ""
    var routingKey = ""
    var queue = ""
    /// Where latencies are written to, in nanoseconds, a line each.
    var samples = ""
    /// How long idleness lasts.
    var seconds = 0
    /// After how many seconds a worker ends itself, whatever becomes of its driver.
    var limit = 60

    struct Broker: Sendable {
        var host = "127.0.0.1"
        var port: UInt16
        var user = "guest"
        var password = "guest"
    }

    var environment: [String: String] {
        [
            "BENCH_HOST": broker.host, "BENCH_PORT": "\(broker.port)", "BENCH_USER": broker.user,
            "BENCH_PASSWORD": broker.password, "BENCH_WORK": work.rawValue, "BENCH_COUNT": "\(count)",
            "BENCH_SIZE": "\(size)", "BENCH_WINDOW": "\(window)", "BENCH_PREFETCH": "\(prefetch)",
            "BENCH_CONNECTIONS": "\(connections)", "BENCH_EXCHANGE": exchange, "BENCH_ROUTING_KEY": routingKey,
            "BENCH_QUEUE": queue, "BENCH_SAMPLES": samples, "BENCH_SECONDS": "\(seconds)", "BENCH_LIMIT": "\(limit)",
        ]
    }

    init(_ work: Work, broker: Broker) {
        self.work = work
        self.broker = broker
    }

    init(environment: [String: String]) throws(BenchmarkError) {
        func text(_ name: String) throws(BenchmarkError) -> String {
            guard let value = environment["BENCH_" + name] else {
                throw BenchmarkError("the environment has no BENCH_\(name)")
            }
            return value
        }
        func number<Number: FixedWidthInteger>(_ name: String) throws(BenchmarkError) -> Number {
            let value = try text(name)
            guard let number = Number(value), number >= 0 else {
                throw BenchmarkError("BENCH_\(name) is '\(value)', and no number")
            }
            return number
        }
        let name = try text("WORK")
        guard let work = Work(rawValue: name) else { throw BenchmarkError("there is no work called '\(name)'") }
        self.work = work
        broker = try Broker(
            host: text("HOST"), port: number("PORT"), user: text("USER"), password: text("PASSWORD"))
        count = try number("COUNT")
        size = try number("SIZE")
        window = try number("WINDOW")
        prefetch = try number("PREFETCH")
        connections = try number("CONNECTIONS")
        exchange = try text("EXCHANGE")
        routingKey = try text("ROUTING_KEY")
        queue = try text("QUEUE")
        samples = try text("SAMPLES")
        seconds = try number("SECONDS")
        limit = try number("LIMIT")
    }
}

/// What ends a benchmark: figures that are not what they seem are worse than none.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
