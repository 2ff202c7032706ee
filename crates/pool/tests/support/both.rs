//! The same tests with either pool: only the imports differ.

/// Puts tests into the modules `larder` and `original`, where `Pool`, `Guard` (of a lent
/// connection) and `Builder` are larder's and r2d2's. `HERE` says which, for the differences.
macro_rules! both {
    ($($item:item)*) => {
        mod larder {
            #![allow(unused_imports, unused_macros, dead_code)] // each file uses a part

            use larder_pool::{Builder, Pool, Pooled as Guard};

            use super::*;

            const HERE: bool = true;

            /// Tests each connection at each checkout, which is r2d2's default.
            fn testing_always(builder: Builder<Fake>) -> Builder<Fake> {
                builder.test_after_idle(Duration::ZERO)
            }

            /// Lets time pass, for ages.
            struct Time(larder_pool::Clock);

            fn timed(builder: Builder<Fake>) -> (Builder<Fake>, Time) {
                let clock = larder_pool::Clock::manual();
                (builder.clock(clock.clone()), Time(clock))
            }

            impl Time {
                fn pass(&self, time: Duration) {
                    self.0.advance(time);
                }
            }

            macro_rules! aged {
                ($test:item) => {
                    #[test]
                    $test
                };
            }

            $($item)*
        }

        mod original {
            #![allow(unused_imports, unused_macros, dead_code)] // each file uses a part

            use r2d2::{Builder, Pool, PooledConnection as Guard};

            use super::*;

            const HERE: bool = false;

            fn testing_always(builder: Builder<Fake>) -> Builder<Fake> {
                builder
            }

            /// r2d2's clock is the system's, and its reaper looks every 30 s.
            struct Time;

            fn timed(builder: Builder<Fake>) -> (Builder<Fake>, Time) {
                (builder, Time)
            }

            impl Time {
                fn pass(&self, time: Duration) {
                    std::thread::sleep(time);
                }
            }

            macro_rules! aged {
                ($test:item) => {
                    #[test]
                    #[ignore = "r2d2 looks every 30 s"]
                    $test
                };
            }

            $($item)*
        }
    };
}
