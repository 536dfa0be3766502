internal import Glibc

/// A value behind a mutex.
///
/// A pthread mutex rather than `Synchronization.Mutex`: ThreadSanitizer knows it, and reports false races on the other
/// on Linux.
@safe package final class Lock<Value>: @unchecked Sendable {
    // Unchecked: `value` is touched only while the mutex is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    package init(_ value: sending Value) {
        self.value = value
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` while no other does. It must not block or resume a continuation.
    package func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
