internal import ActorBus

/// A connection's thread in a simulation: what `BlockingThread` is in reality.
final class SimulatedThread: LoopThread, @unchecked Sendable {
    // Unchecked: touched by the scheduler's thread only.
    private let executor: SimulatedThreadExecutor

    init(name: String, of process: ProcessExecutor?, _ scheduler: Scheduler, _ poll: any Poll) {
        executor = SimulatedThreadExecutor(name: name, of: process, scheduler, poll)
        scheduler.add(executor)
    }

    deinit { executor.stop() }

    var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    var serialExecutor: any SerialExecutor { executor }
    var waker: any Waker { executor }

    func attach(_ owner: any ThreadLoop) { executor.owner = owner }

    func enqueue(_ job: consuming ExecutorJob) {
        unsafe executor.enqueue(UnownedJob(job), of: asUnownedTaskExecutor())
    }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { unsafe UnownedTaskExecutor(ordinary: self) }
}

/// What a thread's loop polls.
protocol Poll: AnyObject {
    /// Nil for one that is closed, which is ready for whatever comes of that.
    func stream(_ descriptor: CInt) -> (any PolledStream)?
}

/// A stream that a loop waits for.
protocol PolledStream: AnyObject {
    func isReady(at now: Instant, wantsWrite: Bool) -> Bool
}

/// Runs as `ThreadExecutor` does, a step at a time, so that others come in between: the jobs in their order and in a few
/// rounds, then a turn of the loop, then the poll.
///
/// An object beside the thread, since one that is both a serial and a task executor crashes Swift 6.3's runtime.
final class SimulatedThreadExecutor: SerialExecutor, Waker, @unchecked Sendable {
    // Unchecked: touched by the scheduler's thread only.
    @safe private struct Job {
        let job: UnownedJob
        let taskExecutor: UnownedTaskExecutor?
    }

    private static let rounds = 4

    let name: String
    /// Whose thread it is; nil for the world's own.
    let process: ProcessExecutor?
    var number: UInt64 = 0
    weak var owner: (any ThreadLoop)?
    private let scheduler: Scheduler
    private let poll: any Poll
    private var jobs: [Job] = []
    /// The round of jobs that is being run, the next one last.
    private var round: [Job] = []
    private var roundsLeft = SimulatedThreadExecutor.rounds
    private var wakeRequested = false
    private var isStopped = false
    /// What the loop sleeps on; nil while it does not.
    private var sleepsOn: PollInterest?
    private var stream: (any PolledStream)?
    private(set) var isOver = false

    init(name: String, of process: ProcessExecutor?, _ scheduler: Scheduler, _ poll: any Poll) {
        self.name = name
        self.process = process
        self.scheduler = scheduler
        self.poll = poll
    }

    func enqueue(_ job: consuming ExecutorJob) { unsafe enqueue(UnownedJob(job), of: nil) }

    func enqueue(_ job: UnownedJob, of taskExecutor: UnownedTaskExecutor?) {
        jobs.append(unsafe Job(job: job, taskExecutor: taskExecutor))
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }
    func isIsolatingCurrentContext() -> Bool? { scheduler.current === self }
    func checkIsolated() { precondition(isIsolatingCurrentContext() == true, "called off the connection's thread") }

    func wake() { wakeRequested = true }
    func stop() { isStopped = true }

    /// When it has to run at the latest, by itself.
    var deadline: Instant? { sleepsOn?.deadline }

    func isRunnable(at now: Instant) -> Bool {
        guard let sleepsOn else { return true }
        if !jobs.isEmpty || wakeRequested || isStopped { return true }
        if let deadline = sleepsOn.deadline, deadline <= now { return true }
        return isReady(sleepsOn, at: now)
    }

    private func isReady(_ interest: PollInterest, at now: Instant) -> Bool {
        guard interest.descriptor >= 0 else { return false }
        return stream?.isReady(at: now, wantsWrite: interest.wantsWrite) ?? true
    }

    /// Runs a job, or a turn of the loop, or what comes of the poll.
    func step() {
        if let interest = sleepsOn {
            sleepsOn = nil
            roundsLeft = Self.rounds
            if isReady(interest, at: scheduler.now) { owner?.descriptorReady() }
            stream = nil
            return
        }
        if round.isEmpty, !jobs.isEmpty, roundsLeft > 0 {
            roundsLeft -= 1
            round = jobs.reversed()
            jobs = []
        }
        if let job = round.popLast() { return run(job) }
        wakeRequested = false
        if isStopped && jobs.isEmpty {
            isOver = true
            return
        }
        let interest = owner?.turn() ?? PollInterest()
        sleepsOn = interest
        if interest.descriptor >= 0 { stream = poll.stream(interest.descriptor) }
    }

    private func run(_ job: Job) {
        if let taskExecutor = unsafe job.taskExecutor {
            unsafe job.job.runSynchronously(on: taskExecutor)
        } else {
            unsafe job.job.runSynchronously(on: asUnownedSerialExecutor())
        }
    }
}
