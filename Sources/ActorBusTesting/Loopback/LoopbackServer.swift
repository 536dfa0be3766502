internal import ActorBus
internal import Glibc

/// Serves a simulated broker on TCP ports of 127.0.0.1, one for each node, from one thread.
///
/// This is how connections reach the broker for as long as ActorBus makes its sockets itself; a transport in memory
/// takes its place. The broker's clock follows the machine's here, ahead of it by what the test has advanced.
final class LoopbackServer: @unchecked Sendable {
    // Unchecked: the clients are the thread's own, and `broker.core` has its lock.
    let ports: [UInt16]
    private let broker: SimulatedBroker
    private let listeners: [CInt]
    /// Ends the thread's wait; the read end is the thread's.
    private let wake: (read: CInt, write: CInt)
    private let isStopping = Lock(false)
    private var clients: [Client] = []
    private let began = ContinuousClock.now

    private struct Client {
        var descriptor: CInt
        var session: ServerSession
        /// What the socket has not taken yet.
        var unsent: [UInt8] = []
    }

    /// Throws ``AMQPError/Code/systemResource``.
    init(_ broker: SimulatedBroker) throws(AMQPError) {
        self.broker = broker
        var pair: [CInt] = [-1, -1]
        guard unsafe pipe(&pair) == 0, pair.allSatisfy(Self.becomesNonBlocking) else {
            throw AMQPError(.systemResource, "cannot make a pipe: \(Self.lastFault)")
        }
        wake = (pair[0], pair[1])
        var listening: [(descriptor: CInt, port: UInt16)] = []
        for _ in 0..<broker.nodeCount {
            guard let listener = Self.listen() else {
                let reason = Self.lastFault
                for descriptor in listening.map(\.descriptor) + pair { Glibc.close(descriptor) }
                throw AMQPError(.systemResource, "cannot listen on a port of 127.0.0.1: \(reason)")
            }
            listening.append(listener)
        }
        listeners = listening.map(\.descriptor)
        ports = listening.map(\.port)
        let write = pair[1]
        broker.core.withLock { $0.changed = { Self.wakeUp(write) } }
    }

    deinit {
        for descriptor in listeners + [wake.read, wake.write] { Glibc.close(descriptor) }
    }

    private static var lastFault: String { unsafe String(cString: strerror(errno)) }

    private static func listen() -> (CInt, UInt16)? {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), CInt(IPPROTO_TCP))
        guard listener >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(listener, pointer, length) == 0 && Glibc.listen(listener, 64) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard isListening else {
            Glibc.close(listener)
            return nil
        }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    /// Serves until ``stop()``. Blocks the thread that calls it.
    func run() {
        while !isStopping.withLock({ $0 }) { turn() }
        for client in clients {
            broker.core.withLock { _ in client.session.clientIsGone() }
            Glibc.close(client.descriptor)
        }
        clients = []
    }

    func stop() {
        isStopping.withLock { $0 = true }
        Self.wakeUp(wake.write)
    }

    private static func becomesNonBlocking(_ descriptor: CInt) -> Bool {
        fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
    }

    private static func wakeUp(_ descriptor: CInt) {
        // A full pipe wakes the thread just as well.
        var byte: UInt8 = 1
        _ = unsafe write(descriptor, &byte, 1)
    }

    private var now: Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - began).components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    private func turn() {
        var descriptors = [pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)]
        for listener in listeners { descriptors.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0)) }
        let firstClient = descriptors.count
        for client in clients {
            let events = POLLIN | (client.unsent.isEmpty ? 0 : POLLOUT)
            descriptors.append(pollfd(fd: client.descriptor, events: Int16(events), revents: 0))
        }
        _ = unsafe poll(&descriptors, nfds_t(descriptors.count), timeout)
        if descriptors[0].revents != 0 { drainWake() }
        let time = now
        var gone: Set<CInt> = []
        broker.core.withLock { core in
            core.passTime(to: time)
            for (index, client) in clients.enumerated() {
                client.session.passTime(to: time)
                if descriptors[index + firstClient].revents != 0, !receive(client) { gone.insert(client.descriptor) }
            }
            // An alarm that is over, or what another client did, may concern any of them.
            for client in clients { client.session.read() }
        }
        for index in clients.indices where !gone.contains(clients[index].descriptor) {
            if !flush(index) { gone.insert(clients[index].descriptor) }
        }
        if !gone.isEmpty { remove(gone) }
        broker.changes.note()
        for node in listeners.indices where descriptors[1 + node].revents != 0 { accept(on: node, at: time) }
    }

    private var timeout: CInt {
        let time = now
        let next = broker.core.withLock { core in
            let deadlines = clients.compactMap { $0.session.nextDeadline }
            return (deadlines + [core.model.nextDeadline.map { $0 - core.lead }].compactMap { $0 }).min()
        }
        guard let next else { return -1 }
        return CInt(clamping: max(0, next - time))
    }

    private func drainWake() {
        var bytes = [UInt8](repeating: 0, count: 256)
        while unsafe Glibc.read(wake.read, &bytes, bytes.count) > 0 {}
    }

    private func accept(on node: Int, at time: Int64) {
        let descriptor = Glibc.accept(listeners[node], nil, nil)
        guard descriptor >= 0 else { return }
        let isUp = broker.core.withLock { $0.model.nodes[node].isUp }
        // A port that is given up could be another process's by the time the node starts again.
        guard isUp, Self.becomesNonBlocking(descriptor) else {
            Glibc.close(descriptor)
            return
        }
        var one: CInt = 1
        _ = unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        let session = broker.core.withLock { core in ServerSession(broker: core.model, clock: time, node: node) }
        clients.append(Client(descriptor: descriptor, session: session))
    }

    /// Reads what is there; false when the client is gone.
    private func receive(_ client: Client) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(client.descriptor, &bytes, bytes.count, 0)
            if count > 0 {
                client.session.receive(bytes[..<count])
            } else {
                return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            }
        }
    }

    /// Writes what the socket takes; false when the connection is at its end.
    private func flush(_ index: Int) -> Bool {
        clients[index].unsent += broker.core.withLock { _ in clients[index].session.takeOutput() }
        while !clients[index].unsent.isEmpty {
            let unsent = clients[index].unsent
            let count = unsafe send(clients[index].descriptor, unsent, unsent.count, CInt(MSG_NOSIGNAL))
            if count < 0 { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR }
            clients[index].unsent.removeFirst(count)
        }
        return !clients[index].session.isFinished
    }

    private func remove(_ gone: Set<CInt>) {
        for client in clients where gone.contains(client.descriptor) {
            broker.core.withLock { _ in client.session.clientIsGone() }
            Glibc.close(client.descriptor)
        }
        clients.removeAll { gone.contains($0.descriptor) }
        // What they held may have gone to others.
        Self.wakeUp(wake.write)
    }
}
