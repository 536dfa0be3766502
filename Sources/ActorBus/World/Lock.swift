internal import Glibc

/// A value behind a mutex.
///
/// A pthread mutex rather than `Synchronization.Mutex`: ThreadSanitizer knows it, and reports false races on the other
/// on Linux.
@safe package final class Lock<Value>: @unchecked Sendable {
    // Unchecked: `value` is touched only while the mutex is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    package init(_ value: sending Value) {
        unsafe self.value = .allocate(capacity: 1)
        unsafe self.value.initialize(to: value)
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
    }

    /// Runs `body` while no other does. It must not block or resume a continuation.
    ///
    /// As with `Mutex`, what goes in and what comes out must not be shared with what stays: no reference that is not
    /// `Sendable` can be carried out of the lock.
    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&value.pointee)
    }
}
