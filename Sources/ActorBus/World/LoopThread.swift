/// A thread of its own for one actor, or for tasks that prefer it: runs their jobs and, between them, the turns of a loop.
/// It ends with the last reference.
package protocol LoopThread: TaskExecutor {
    /// What runs an actor's jobs. Whoever uses it must hold the thread.
    var serialExecutor: any SerialExecutor { get }

    /// For an actor's `unownedExecutor`. The actor must hold the thread.
    var unownedExecutor: UnownedSerialExecutor { get }

    /// What makes the loop turn, without holding the thread.
    var waker: any Waker { get }

    /// Gives the thread its loop, once. Does not hold it.
    func attach(_ owner: any ThreadLoop)
}

/// Makes a thread's loop turn once more.
package protocol Waker: AnyObject, Sendable {
    func wake()
}

/// What a thread's loop does beside running jobs: one owner, called on the thread only.
package protocol ThreadLoop: AnyObject {
    /// Does what is due, writes what is to be written, and says what to wait for. Called once a turn, when the jobs
    /// have run.
    nonisolated func turn() -> PollInterest
    /// The descriptor has become readable, writable, or has failed.
    nonisolated func descriptorReady()
}

/// What a thread's loop sleeps on, beside its own wake-up.
package struct PollInterest {
    /// -1 for none.
    package var descriptor: CInt = -1
    package var wantsWrite = false
    /// When to wake up at the latest, in nanoseconds of the monotonic clock.
    package var deadline: Instant?

    package init(descriptor: CInt = -1, wantsWrite: Bool = false, deadline: Instant? = nil) {
        self.descriptor = descriptor
        self.wantsWrite = wantsWrite
        self.deadline = deadline
    }
}
