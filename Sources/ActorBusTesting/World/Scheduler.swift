internal import ActorBus
internal import Glibc

/// Runs all jobs of a simulated world on the one thread that calls ``run(until:_:)``, in an order that the seed decides.
///
/// What runs side by side in reality is picked from at random: the tasks of Swift's shared threads, and each connection's
/// thread, which itself runs its jobs in the order in which they came. Where nothing can run, the clock jumps to what
/// comes next.
///
/// It is the executor of all tasks that name no thread.
final class Scheduler: TaskExecutor, @unchecked Sendable {
    // Unchecked: touched by one thread only, which `checkThread` sees to.
    private(set) var now = Instant(nanoseconds: 0)
    private(set) var steps: UInt64 = 0
    /// The connection's thread whose job or turn is running.
    private(set) var current: SimulatedThreadExecutor?
    var trace: Trace
    private var timers = TimerQueue()
    private(set) var threads: [SimulatedThreadExecutor] = []
    private var waiting: [WaitingJob] = []
    /// Of the threads, those that can run at this step.
    private var runnable: [SimulatedThreadExecutor] = []
    private var random: SeededGenerator
    private var runner: pthread_t?
    private var threadCount: UInt64 = 0

    @safe struct WaitingJob {
        let job: UnownedJob
        /// Whose task it is of; nil for the world's own.
        let process: ProcessExecutor?
    }

    /// How long a step takes at most, in nanoseconds: time passes while there is work, too.
    private static let longestStep: UInt64 = 2_000
    /// One in so many takes longer, as where a machine is busy: what comes over the network may then overtake a job that waits.
    private static let longSteps: UInt64 = 256
    private static let longestLongStep: UInt64 = 1_000_000

    /// In a second of virtual time: jobs, turns and timers. Without a pause a second has about 330,000.
    private static let mostSteps: UInt64 = 230_000

    init(random: SeededGenerator, isTold: Bool) {
        self.random = random
        trace = Trace(isTold: isTold)
    }

    // MARK: What comes in

    func enqueue(_ job: consuming ExecutorJob) { enqueue(UnownedJob(job), of: nil) }

    func enqueue(_ job: UnownedJob, of process: ProcessExecutor?) {
        checkThread()
        waiting.append(WaitingJob(job: job, process: process))
    }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { unsafe UnownedTaskExecutor(ordinary: self) }

    func add(_ thread: SimulatedThreadExecutor) {
        checkThread()
        threadCount += 1
        thread.number = threadCount
        threads.append(thread)
    }

    @discardableResult
    func at(_ moment: Instant, _ action: @escaping () -> Void) -> UInt64 {
        checkThread()
        return timers.add(at: moment, action)
    }

    func cancelTimer(_ number: UInt64) {
        checkThread()
        timers.cancel(number)
    }

    var pendingTimers: Int { timers.pending }

    func tell(_ words: @autoclosure () -> String) {
        trace.tell("\(Self.text(now))  \(words())")
    }

    /// Everything is done on the thread that runs the simulation. A task that was started with a bare `Task { }` is no part of
    /// it.
    func checkThread() {
        guard let runner, pthread_equal(runner, pthread_self()) == 0 else { return }
        fatalError(
            "something reached into a simulated world from another thread: inside it, start tasks as children (async let, "
                + "task groups) or with SimulatedWorld.task(_:), not with Task { }")
    }

    // MARK: Processes

    /// Takes away whatever a process could still do.
    func take(_ process: ProcessExecutor) -> (jobs: [WaitingJob], threads: [SimulatedThreadExecutor]) {
        checkThread()
        defer {
            waiting.removeAll { $0.process === process }
            threads.removeAll { $0.process === process }
        }
        return (waiting.filter { $0.process === process }, threads.filter { $0.process === process })
    }

    /// Gives it back.
    func give(_ jobs: [WaitingJob], _ threads: [SimulatedThreadExecutor]) {
        waiting += jobs
        self.threads += threads
    }

    // MARK: The run

    enum End {
        case done
        /// Nothing is left that could happen.
        case quiet
        /// So much time has passed.
        case overdue
        /// So much was done in one second of virtual time that it would never be over.
        case busy
    }

    /// Runs until `isDone`, or until nothing more can happen, or the clock would pass `limit`.
    func run(until limit: Instant, _ isDone: () -> Bool) -> End {
        runner = pthread_self()
        defer { runner = nil }
        var (second, stepsBefore) = (now.nanoseconds, steps)
        while !isDone() {
            if now > limit { return .overdue }
            if now.nanoseconds - second >= 1_000_000_000 { (second, stepsBefore) = (now.nanoseconds, steps) }
            if steps - stepsBefore > Self.mostSteps { return .busy }
            if step() { continue }
            guard let next = nextMoment else { return .quiet }
            if next > limit { return .overdue }
            now = max(now, next)
        }
        return .done
    }

    /// Lets go of everything that has not happened.
    func abandon() {
        timers = TimerQueue()
        threads = []
    }

    /// Does one thing. False when nothing can be done at this moment.
    private func step() -> Bool {
        if let timer = timers.takeDue(at: now) {
            trace.note(1)
            steps += 1
            timer.action()
            return true
        }
        runnable.removeAll(keepingCapacity: true)
        for thread in threads where thread.isRunnable(at: now) { runnable.append(thread) }
        let count = waiting.count + runnable.count
        guard count > 0 else { return false }
        steps += 1
        let longest = random.next() % Self.longSteps == 0 ? Self.longestLongStep : Self.longestStep
        now = now.after(Int64(random.next() % longest))
        let choice = Int(random.next() % UInt64(count))
        trace.note(UInt64(bitPattern: now.nanoseconds))
        if choice < waiting.count {
            trace.note(2)
            let job = waiting.remove(at: choice)
            unsafe job.job.runSynchronously(
                on: job.process?.asUnownedTaskExecutor() ?? asUnownedTaskExecutor())
            job.process?.hasStepped()
        } else {
            let thread = runnable[choice - waiting.count]
            trace.note(thread.number << 8 | 3)
            current = thread
            thread.step()
            current = nil
            if thread.isOver { threads.removeAll { $0 === thread } }
            thread.process?.hasStepped()
        }
        return true
    }

    private var nextMoment: Instant? {
        var next = timers.next
        for thread in threads { next = .earlier(next, thread.deadline) }
        return next
    }

    static func text(_ moment: Instant) -> String {
        let digits = String(moment.nanoseconds / 1_000 % 1_000_000)
        return "\(moment.nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 6 - digits.count) + digits
    }
}
