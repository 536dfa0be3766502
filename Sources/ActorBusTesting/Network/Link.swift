internal import ActorBus

/// A stream between a client and a broker, with both of its directions.
final class Link {
    let descriptor: CInt
    /// The client's process; nil for one that runs in none of its own.
    let process: ProcessExecutor?
    let node: Node?
    var fate: SimulatedNetwork.Fate
    let toBroker: Pipe
    let toClient: Pipe
    /// The broker's side; nil before it has accepted, and when it has let go.
    var session: ServerSession?
    /// What the broker has to send, and the window does not take yet.
    var unsent: [UInt8] = []
    var isConnecting = true
    /// Whether the client can learn what became of its connect.
    var isConnectDecided = false
    /// What the client's next call fails with, behind nothing: the stream was reset.
    var clientError: String?
    var isClosedByClient = false
    /// Whether packets vanish, in both directions, and neither end is told.
    var isSilent = false

    init(
        descriptor: CInt, of process: ProcessExecutor?, node: Node?, fate: SimulatedNetwork.Fate, window: Int
    ) {
        self.descriptor = descriptor
        self.process = process
        self.node = node
        self.fate = fate
        toBroker = Pipe(window: window)
        toClient = Pipe(window: window)
    }
}

/// What answers at an address.
final class Node {
    let name: String
    let broker: SimulatedBroker
    /// Which of the broker's nodes it is.
    let number: Int
    var links: [Link] = []
    /// Nobody listens: connections are refused.
    var isDown = false
    /// It does nothing, and its connections stay open.
    var isFrozen = false

    init(name: String, broker: SimulatedBroker, number: Int) {
        self.name = name
        self.broker = broker
        self.number = number
    }

    /// Whether anybody listens.
    var isServing: Bool { !isDown && broker.core.withLock { $0.model.nodes[number].isUp } }
}
