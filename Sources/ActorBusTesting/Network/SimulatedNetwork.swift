internal import ActorBus

/// What lies between the clients and the brokers of a ``SimulatedWorld``: names, addresses, and streams that take their
/// time, come in pieces, and break.
///
/// Use it before ``SimulatedWorld/run(limit:_:)`` and in tasks of the run.
public final class SimulatedNetwork: @unchecked Sendable {
    // Unchecked: the simulation has one thread.

    /// How streams behave that nothing has befallen.
    public struct Conditions: Sendable {
        /// How long bytes are under way, drawn anew for each piece.
        public var latency: ClosedRange<Duration> = .microseconds(20)...(.milliseconds(1))
        /// Whether reads and writes take only a part of what they could, at times.
        public var isPieced = true
        /// How many bytes a direction holds that nobody has read.
        public var window = 64 << 10

        public init() {}
    }

    /// What becomes of a connection.
    public struct Fate: Sendable {
        public enum Connecting: Sendable {
            case accepted
            /// With "Connection refused".
            case refused
            /// There is no answer at all.
            case unanswered
        }

        public enum Break: Sendable {
            /// Both ends are told: the stream is reset.
            case reset
            /// Nobody is told, and nothing goes through any more.
            case silence
        }

        public var connecting = Connecting.accepted
        /// After so many bytes of the client, or of the broker, the stream breaks, in the middle of a frame or not. The
        /// bytes until then arrive.
        public var bytesToBroker: Int?
        public var bytesToClient: Int?
        public var breaks = Break.reset

        /// One that nothing befalls.
        public init() {}
    }

    /// What a name has at the moment.
    enum LookUp {
        case known([SimulatedAddress])
        case unknown
        case unanswered
    }

    public var conditions = Conditions()
    /// Decides what becomes of each connection, from a number that the seed has drawn for it.
    public var fate: (_ host: String, _ random: inout SeededGenerator) -> Fate = { _, _ in Fate() }

    private let scheduler: Scheduler
    private var random: SeededGenerator
    private var names: [String: [SimulatedAddress]] = [:]
    private var unanswered: Set<String> = []
    private var nodes: [Node] = []
    private var places: [SimulatedAddress: Node] = [:]
    private var links: [CInt: Link] = [:]
    private var nextDescriptor: CInt = 0
    private var nextAlarm: (moment: Instant, timer: UInt64)?
    private var isPumpDue = false

    init(_ scheduler: Scheduler, random: SeededGenerator) {
        self.scheduler = scheduler
        self.random = random
    }

    // MARK: What a test sets up

    /// Lets a broker serve under a name, at an address of its own. One broker may serve under several.
    ///
    /// - Parameter number: which of the broker's nodes it is that serves there. While that is killed, connections are
    ///   refused.
    public func serve(_ broker: SimulatedBroker, node number: Int = 0, at name: String) {
        let node = Node(name: name, broker: broker, number: number)
        nodes.append(node)
        let address = "10.0.\(nodes.count >> 8).\(nodes.count & 0xFF)"
        if let known = SimulatedAddress(address) {
            places[known] = node
            names[name] = [known]
        }
        broker.core.withLock { core in core.changed = { self.pumpSoon() } }
    }

    /// The addresses of a name; none for a name that is unknown.
    public func addresses(of name: String) -> [String] { (names[name] ?? []).map(\.text) }

    /// Gives a name other addresses, in numbers (`10.0.0.1`), such as those of another name; none makes it
    /// unknown.
    public func setAddresses(_ addresses: [String], of name: String) {
        names[name] = addresses.compactMap { SimulatedAddress($0) }
        scheduler.tell("'\(name)' is now \(addresses)")
    }

    /// Whether the resolver answers for this name at all.
    public func setAnswered(_ isAnswered: Bool, _ name: String) {
        if isAnswered { unanswered.remove(name) } else { unanswered.insert(name) }
    }

    /// Lets the brokers go on without it.
    func leave() {
        for node in nodes { node.broker.core.withLock { $0.changed = {} } }
    }

    // MARK: Faults

    /// Breaks every open connection to a name's brokers.
    public func breakConnections(to name: String, _ how: Fate.Break = .reset) {
        for link in nodes.filter({ $0.name == name }).flatMap(\.links) { breakStream(link, how) }
    }

    /// Ends what serves under a name: its connections are reset, and new ones refused. The broker keeps what it has.
    public func shutDown(_ name: String) {
        scheduler.tell("\(name) is down")
        for node in nodes where node.name == name { node.isDown = true }
        breakConnections(to: name)
    }

    public func startAgain(_ name: String) {
        scheduler.tell("\(name) is up")
        for node in nodes where node.name == name { node.isDown = false }
    }

    /// Stops what serves under a name, as SIGSTOP does: connections stay, and nothing is answered.
    public func freeze(_ name: String) {
        scheduler.tell("\(name) is frozen")
        for node in nodes where node.name == name { node.isFrozen = true }
    }

    public func thaw(_ name: String) {
        scheduler.tell("\(name) goes on")
        for node in nodes where node.name == name { node.isFrozen = false }
        pumpSoon()
    }

    /// How many connections there are that their clients have not closed.
    public var openConnections: Int { links.values.count { !$0.isClosedByClient } }

    // MARK: The client's side

    func lookUp(_ name: String) -> LookUp {
        if unanswered.contains(name) { return .unanswered }
        if let address = SimulatedAddress(name) { return .known([address]) }
        guard let addresses = names[name], !addresses.isEmpty else { return .unknown }
        return .known(addresses)
    }

    func connect(to resolved: ResolvedAddress, for process: ProcessExecutor?) -> SimulatedTransport {
        nextDescriptor += 1
        let place = SimulatedAddress.of(resolved)
        let node = place.flatMap { $0.port == 5672 ? places[$0.address] : nil }
        var fortune = random.split()
        var fate = fate(node?.name ?? "", &fortune)
        if node?.isServing != true || process?.isKilled == true { fate.connecting = .refused }
        let link = Link(
            descriptor: nextDescriptor, of: process, node: node, fate: fate,
            window: conditions.window)
        links[link.descriptor] = link
        scheduler.tell("connection \(link.descriptor) to \(node?.name ?? "nobody") begins")
        if fate.connecting != .unanswered {
            scheduler.at(later()) { [self] in
                guard !link.isClosedByClient else { return }
                if link.fate.connecting == .accepted, let node = link.node, node.isServing { accept(link, node) }
                link.isConnectDecided = true
            }
        }
        return SimulatedTransport(link, self)
    }

    private func accept(_ link: Link, _ node: Node) {
        let time = milliseconds
        link.session = node.broker.core.withLock { core in
            ServerSession(broker: core.model, clock: time, node: node.number)
        }
        node.links.append(link)
        setAlarm()
    }

    func finishConnecting(_ link: Link) throws(AMQPError) -> Bool {
        guard link.isConnectDecided else { return false }
        guard link.session != nil || link.clientError != nil else {
            throw AMQPError(.connectionLost, "Connection refused")
        }
        link.isConnecting = false
        return true
    }

    func read(_ link: Link, atMost count: Int) throws(AMQPError) -> ArraySlice<UInt8> {
        if let error = link.clientError { throw AMQPError(.connectionLost, "cannot read from the broker: \(error)") }
        link.toClient.passTime(to: scheduler.now)
        if link.toClient.isOver(at: scheduler.now) {
            throw AMQPError(.connectionLost, "the broker closed the connection without a word")
        }
        let taken = link.toClient.take(part(of: min(count, link.toClient.arrived.count)))
        scheduler.trace.note(taken)
        if !link.unsent.isEmpty { pumpSoon() }
        return taken
    }

    func write(_ link: Link, _ bytes: [UInt8]) throws(AMQPError) -> Int {
        if let error = link.clientError { throw AMQPError(.connectionLost, "cannot write to the broker: \(error)") }
        // A stream that vanishes into silence takes what its window holds, and then nothing.
        var count = part(of: min(bytes.count, link.toBroker.room))
        guard count > 0 else { return 0 }
        var isLast = false
        if let most = link.fate.bytesToBroker, !link.isSilent, link.toBroker.total + count >= most {
            count = max(1, most - link.toBroker.total)
            isLast = true
        }
        scheduler.trace.note(bytes[..<count])
        let arrival = link.toBroker.put(bytes[..<count], arrivingAt: later())
        if !link.isSilent {
            scheduler.at(arrival) { [self] in
                arrive(link)
                if isLast { breakStream(link, link.fate.breaks) }
            }
        }
        return count
    }

    func closeByClient(_ link: Link) {
        guard !link.isClosedByClient else { return }
        link.isClosedByClient = true
        links[link.descriptor] = nil
        guard link.session != nil, !link.isSilent else { return }
        scheduler.at(link.toBroker.finish(arrivingAt: later())) { [self] in arrive(link) }
    }

    /// Ends the streams of a process that is gone: closed by its system, behind what was written, or, with its machine,
    /// without a word to the brokers.
    func abandon(_ process: ProcessExecutor, _ how: Fate.Break) {
        for link in links.values.filter({ $0.process === process }).sorted(by: { $0.descriptor < $1.descriptor }) {
            if how == .silence { link.isSilent = true }
            closeByClient(link)
            link.clientError = "Broken pipe"
        }
    }

    /// What is still under way counts as silence swallows it, so a writer finds no room in the end.
    private func breakStream(_ link: Link, _ how: Fate.Break) {
        guard link.clientError == nil, !link.isSilent, link.session != nil else { return }
        scheduler.tell("connection \(link.descriptor) breaks (\(how))")
        switch how {
        case .silence: link.isSilent = true
        case .reset:
            link.clientError = "Connection reset by peer"
            letGo(link)
            pumpSoon()
        }
    }

    // MARK: The broker's side

    /// Hands the broker what has come for it.
    private func arrive(_ link: Link) {
        guard let node = link.node, let session = link.session, !node.isFrozen, !link.isSilent else { return }
        link.toBroker.passTime(to: scheduler.now)
        let bytes = link.toBroker.take(link.toBroker.arrived.count)
        let time = milliseconds
        node.broker.core.withLock { core in
            core.passTime(to: time)
            session.passTime(to: time)
            if !bytes.isEmpty { session.receive(bytes) }
        }
        if link.toBroker.isOver(at: scheduler.now) { letGo(link) }
        pump()
    }

    /// The broker's side is gone.
    private func letGo(_ link: Link) {
        guard let node = link.node, let session = link.session.take() else { return }
        node.broker.core.withLock { _ in session.clientIsGone() }
        node.links.removeAll { $0 === link }
    }

    private func pumpSoon() {
        guard !isPumpDue else { return }
        isPumpDue = true
        scheduler.at(scheduler.now) { [self] in
            isPumpDue = false
            pump()
        }
    }

    /// Lets time pass for the brokers, and takes what they have to say: what one client did may concern any other.
    private func pump() {
        let time = milliseconds
        for broker in wakingBrokers { broker.core.withLock { $0.passTime(to: time) } }
        for node in nodes where !node.isFrozen && !node.links.isEmpty {
            node.broker.core.withLock { _ in
                for link in node.links { link.session?.passTime(to: time) }
                for link in node.links { link.session?.read() }
            }
            for link in node.links { flush(link, node) }
        }
        for broker in wakingBrokers { broker.changes.note() }
        setAlarm()
    }

    /// Those of which not all nodes are frozen.
    private var wakingBrokers: [SimulatedBroker] {
        var found: [SimulatedBroker] = []
        for node in nodes where !node.isFrozen && !found.contains(where: { $0 === node.broker }) {
            found.append(node.broker)
        }
        return found
    }

    private func flush(_ link: Link, _ node: Node) {
        guard let session = link.session, session.hasOutput || session.isFinished || !link.unsent.isEmpty
        else { return }
        link.unsent += node.broker.core.withLock { _ in session.takeOutput() }
        while !link.unsent.isEmpty, !link.isSilent {
            var count = part(of: min(link.unsent.count, link.toClient.room))
            guard count > 0 else { return }
            var isLast = false
            if let most = link.fate.bytesToClient, link.toClient.total + count >= most {
                count = max(1, most - link.toClient.total)
                isLast = true
            }
            let arrival = link.toClient.put(link.unsent[..<count], arrivingAt: later())
            link.unsent.removeFirst(count)
            // So that the clock stops there.
            scheduler.at(arrival) { [self] in
                link.toClient.passTime(to: scheduler.now)
                if isLast { breakStream(link, link.fate.breaks) }
            }
            if isLast { return }
        }
        guard session.isFinished, link.unsent.isEmpty || link.isSilent else { return }
        let arrival = link.toClient.finish(arrivingAt: later())
        scheduler.at(arrival) {}
        letGo(link)
        pumpSoon()
    }

    /// Wakes up when a broker has something to do by itself.
    private func setAlarm() {
        var soonest: Int64?
        for broker in wakingBrokers {
            let next = broker.core.withLock { core in core.model.nextDeadline.map { $0 - core.lead } }
            soonest = .earlier(soonest, next)
        }
        for node in nodes where !node.isFrozen && !node.links.isEmpty {
            node.broker.core.withLock { _ in
                for link in node.links { soonest = .earlier(soonest, link.session?.nextDeadline) }
            }
        }
        guard let soonest else { return cancelAlarm() }
        let moment = max(scheduler.now, Instant(nanoseconds: soonest * 1_000_000))
        if let nextAlarm, nextAlarm.moment == moment { return }
        cancelAlarm()
        nextAlarm = (
            moment,
            scheduler.at(moment) { [self] in
                nextAlarm = nil
                pump()
            }
        )
    }

    private func cancelAlarm() {
        if let alarm = nextAlarm.take() { scheduler.cancelTimer(alarm.timer) }
    }

    // MARK: Chance

    /// Milliseconds since the world began, as the brokers count.
    private var milliseconds: Int64 { scheduler.now.nanoseconds / 1_000_000 }

    private func later() -> Instant {
        let (least, most) = (conditions.latency.lowerBound.nanoseconds, conditions.latency.upperBound.nanoseconds)
        return scheduler.now.after(Int64.random(in: least...most, using: &random))
    }

    /// All, or sometimes less.
    private func part(of count: Int) -> Int {
        guard conditions.isPieced, count > 1, random.next() & 7 == 0 else { return count }
        return Int.random(in: 1...count, using: &random)
    }
}

extension SimulatedNetwork: Poll {
    func stream(_ descriptor: CInt) -> (any PolledStream)? { links[descriptor] }
}

extension Link: PolledStream {
    /// The clock stops wherever bytes or an end arrive, so what has arrived is known.
    func isReady(at now: Instant, wantsWrite: Bool) -> Bool {
        if isClosedByClient || clientError != nil { return true }
        if isConnecting { return isConnectDecided }
        if !toClient.arrived.isEmpty || toClient.isOver(at: now) { return true }
        return wantsWrite && toBroker.room > 0
    }
}
