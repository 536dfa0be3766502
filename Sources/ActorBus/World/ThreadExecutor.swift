internal import Glibc
internal import Synchronization

/// A serial executor on a thread of its own: runs an actor's jobs and, between them, the loop of a socket.
///
/// The thread owns this object until it ends, so neither a job nor a late `enqueue` can find it gone; the runtime
/// itself does not retain a custom executor. ``BlockingThread`` ends the thread.
package final class ThreadExecutor: SerialExecutor, Waker {
    fileprivate struct State {
        var jobs: [Job] = []
        var wakeRequested = false
        var isSleeping = false
        var isStopped = false
    }

    /// What is to be run: a job of the actor, or of a task that prefers the thread.
    @safe fileprivate struct Job {
        let job: UnownedJob
        let taskExecutor: UnownedTaskExecutor?

        func run(on executor: ThreadExecutor) {
            if let taskExecutor = unsafe taskExecutor {
                unsafe job.runSynchronously(on: taskExecutor)
            } else {
                unsafe job.runSynchronously(on: executor.asUnownedSerialExecutor())
            }
        }
    }

    /// How often jobs that others have made ready are run before the loop turns.
    private static let rounds = 4

    private let state = Lock(State())
    /// The thread's `pthread_self`, 0 before it runs.
    private let thread = Atomic<UInt>(0)
    private let wakeDescriptor: CInt
    /// Set before the first turn that needs it and used on the thread only, weakly, so that the thread never keeps its
    /// owner alive.
    private let loop = Lock<WeakLoop>(WeakLoop())

    private struct WeakLoop: @unchecked Sendable {
        // Unchecked: the reference is handed from the owner's initializer to the thread through the lock.
        weak var owner: (any ThreadLoop)?
    }

    /// Starts the thread. `name` is shown by `ps -L`, cut to 15 bytes.
    init(name: String) throws(AMQPError) {
        wakeDescriptor = SystemCalls.makeEventDescriptor()
        guard wakeDescriptor >= 0 else {
            throw AMQPError(.systemResource, "cannot make an eventfd: \(Socket.text(errno))")
        }
        let status = startThread(name: name, running: self)
        guard status == 0 else {
            throw AMQPError(
                .systemResource, "cannot start a thread for the connection: \(Socket.text(status))",
                remedy: "raise the limit of threads or open fewer connections")
        }
    }

    deinit { close(wakeDescriptor) }

    package func enqueue(_ job: consuming ExecutorJob) { unsafe enqueue(UnownedJob(job), of: nil) }

    func enqueue(_ job: UnownedJob, of taskExecutor: UnownedTaskExecutor?) {
        // As soon as the job can be seen the thread may run it, let go of the actor, and end. This call holds the
        // object until then.
        let this = unsafe Unmanaged.passRetained(self)
        defer { unsafe this.release() }
        let mustWake = state.withLock { state in
            state.jobs.append(unsafe Job(job: job, taskExecutor: taskExecutor))
            return state.wake()
        }
        if mustWake { signal() }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }

    package func isIsolatingCurrentContext() -> Bool? { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    package func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "called off the connection's thread")
    }

    package func wake() {
        if state.withLock({ $0.wake() }) { signal() }
    }

    func attach(_ owner: any ThreadLoop) {
        loop.withLock { $0.owner = owner }
    }

    /// Lets the thread end when the jobs it has are run. Does not wait for it.
    func stop() {
        let mustWake = state.withLock { state in
            state.isStopped = true
            return state.wake()
        }
        if mustWake { signal() }
    }

    private func signal() {
        var one: UInt64 = 1
        // Fails only when the counter is full, and then the thread is woken anyway.
        _ = unsafe write(wakeDescriptor, &one, 8)
    }

    fileprivate func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var jobs: [Job] = []
        while true {
            var round = 0
            while round < Self.rounds, takeJobs(into: &jobs) {
                run(&jobs)
                round += 1
            }
            let isOver = state.withLock { state in
                // Whoever asked for a turn until now gets it.
                state.wakeRequested = false
                return state.isStopped && state.jobs.isEmpty
            }
            if isOver { return }
            let interest = loop.withLock { $0.owner }?.turn() ?? PollInterest()
            let maySleep = state.withLock { state in
                state.isSleeping = state.jobs.isEmpty && !state.wakeRequested && !state.isStopped
                return state.isSleeping
            }
            sleep(interest, maySleep: maySleep)
        }
    }

    /// Exchanges the jobs that wait for an empty array. False when there are none.
    private func takeJobs(into jobs: inout [Job]) -> Bool {
        state.withLock { state in swap(&state.jobs, &jobs) }
        return !jobs.isEmpty
    }

    private func run(_ jobs: inout [Job]) {
        for job in jobs { job.run(on: self) }
        jobs.removeAll(keepingCapacity: true)
    }

    /// The one place where the thread blocks.
    private func sleep(_ interest: PollInterest, maySleep: Bool) {
        // Work that is waiting goes first; what the socket has is seen at the next turn.
        guard maySleep || interest.descriptor >= 0 else { return }
        let events = CShort(POLLIN) | (interest.wantsWrite ? CShort(POLLOUT) : 0)
        var descriptors = (
            pollfd(fd: wakeDescriptor, events: CShort(POLLIN), revents: 0),
            pollfd(fd: interest.descriptor, events: events, revents: 0)
        )
        let timeout = maySleep ? interest.deadline.map { World.real.now.milliseconds(until: $0) } ?? -1 : 0
        let count = unsafe withUnsafeMutablePointer(to: &descriptors) { tuple in
            unsafe tuple.withMemoryRebound(to: pollfd.self, capacity: 2) { unsafe poll($0, 2, timeout) }
        }
        if maySleep { state.withLock { $0.isSleeping = false } }
        guard count > 0 else { return }
        if descriptors.0.revents != 0 {
            var counter: UInt64 = 0
            _ = unsafe read(wakeDescriptor, &counter, 8)
        }
        if descriptors.1.revents != 0 { loop.withLock { $0.owner }?.descriptorReady() }
    }
}

extension ThreadExecutor.State {
    /// Asks for a turn; returns whether the thread sleeps and has to be woken.
    fileprivate mutating func wake() -> Bool {
        wakeRequested = true
        defer { isSleeping = false }
        return isSleeping
    }
}

/// Starts a detached thread that runs the executor's loop and owns it meanwhile. Not part of an actor, so that the C
/// callback belongs to none.
private func startThread(name: String, running executor: ThreadExecutor) -> CInt {
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    unsafe pthread_attr_setstacksize(&attributes, 1 << 20)
    let context = unsafe Unmanaged.passRetained(ThreadStart(name: name, executor: executor))
    var thread = pthread_t()
    let status = unsafe pthread_create(
        &thread, &attributes,
        { context in
            guard let context = unsafe context else { return nil }
            let start = unsafe Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
            // Signals are for the program's own threads.
            var all = sigset_t()
            unsafe sigfillset(&all)
            unsafe pthread_sigmask(SIG_SETMASK, &all, nil)
            SystemCalls.nameThisThread(start.name)
            start.executor.run()
            return nil
        }, context.toOpaque())
    if status != 0 { unsafe context.release() }
    return status
}

private final class ThreadStart {
    let name: String
    let executor: ThreadExecutor

    init(name: String, executor: ThreadExecutor) {
        self.name = name
        self.executor = executor
    }
}
