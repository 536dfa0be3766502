/// A thread of its own for one actor, or for tasks that block, ended with the last reference. Ending does not wait, so
/// that reference may be dropped on the thread itself. The actor must hold this object, or outlive none of its own work;
/// tasks that prefer the thread hold it as long as they do.
package final class BlockingThread: LoopThread {
    /// Runs jobs for as long as this object lives.
    package let executor: ThreadExecutor

    /// Starts the thread. Throws ``AMQPError/Code/systemResource``.
    package init(name: String) throws(AMQPError) {
        executor = try ThreadExecutor(name: name)
    }

    deinit { executor.stop() }

    /// For an actor's `unownedExecutor`. The actor must hold the handle.
    package var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    package func enqueue(_ job: consuming ExecutorJob) {
        unsafe executor.enqueue(UnownedJob(job), of: asUnownedTaskExecutor())
    }

    package func asUnownedTaskExecutor() -> UnownedTaskExecutor { unsafe UnownedTaskExecutor(ordinary: self) }

    package var serialExecutor: any SerialExecutor { executor }
    package var waker: any Waker { executor }

    package func attach(_ owner: any ThreadLoop) { executor.attach(owner) }
}
