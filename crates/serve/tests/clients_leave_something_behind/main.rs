//! Whatever clients do, and wherever they break off, nothing of theirs stays: no connection, no
//! descriptor, no lease, no reader, no memory, no busy worker. In a process of its own, and one test
//! after the other, since descriptors, memory and processor time are counted for the process.
//!
//! `scene` is the server and what is counted, `held` what replies own; each other module is one way to behave.

#[allow(dead_code)]
#[path = "../suite/client.rs"]
mod client;
mod half_closed_and_waiting;
mod held;
mod never_reads;
mod reset_before_the_answer;
mod reset_between_requests;
mod reset_in_a_request;
mod reset_in_an_answer;
mod scene;
