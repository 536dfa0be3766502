internal import ActorBus

/// Runs the tasks of one process of a simulation, among all others, until it is killed.
final class ProcessExecutor: TaskExecutor, @unchecked Sendable {
    // Unchecked: touched by the scheduler's thread only.
    let name: String
    private let scheduler: Scheduler
    /// Whether the process is killed, for good, whatever is left to unwind.
    private(set) var isKilled = false
    /// What it could have done when it was killed, and what comes to it afterwards.
    private var held: (jobs: [Scheduler.WaitingJob], threads: [SimulatedThreadExecutor])?
    /// What is to happen after so many more steps.
    private var scheduled: [(steps: Int, action: () -> Void)] = []

    init(name: String, _ scheduler: Scheduler) {
        self.name = name
        self.scheduler = scheduler
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if held == nil {
            scheduler.enqueue(job, of: self)
        } else {
            held?.jobs.append(Scheduler.WaitingJob(job: job, process: self))
        }
    }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { unsafe UnownedTaskExecutor(ordinary: self) }

    /// Nothing of the process runs from now on.
    func stop() {
        isKilled = true
        scheduled = []
        held = scheduler.take(self)
    }

    /// What is left of a killed process runs again.
    func goOn() {
        guard let (jobs, threads) = held.take() else { return }
        scheduler.give(jobs, threads)
    }

    func after(_ steps: Int, _ action: @escaping () -> Void) { scheduled.append((steps, action)) }

    /// What was to happen after more steps does not.
    func unschedule() { scheduled = [] }

    /// A job or a turn of the process is over.
    func hasStepped() {
        guard !scheduled.isEmpty else { return }
        for index in scheduled.indices { scheduled[index].steps -= 1 }
        let due = scheduled.filter { $0.steps <= 0 }
        scheduled.removeAll { $0.steps <= 0 }
        for one in due { one.action() }
    }
}
