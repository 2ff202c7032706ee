//! A thread-safe, fair, exact connection pool for any r2d2 manager
